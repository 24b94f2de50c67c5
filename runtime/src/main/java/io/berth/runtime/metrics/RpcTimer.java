package io.berth.runtime.metrics;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** Times every call into {@code berth_rpc_seconds} by {@code method} (its bare name) and gRPC {@code code}. */
public final class RpcTimer implements ServerInterceptor {
    private static final Duration[] BUCKETS = {Duration.ofMillis(1), Duration.ofMillis(5),
            Duration.ofMillis(20),
            Duration.ofMillis(100), Duration.ofMillis(500), Duration.ofSeconds(2), Duration.ofSeconds(10),
            Duration.ofSeconds(60)};

    private final MeterRegistry registry;

    public RpcTimer(MeterRegistry registry) {
        this.registry = registry;
    }

    @Override
    public <Q, S> ServerCall.Listener<Q> interceptCall(ServerCall<Q, S> call, Metadata headers,
            ServerCallHandler<Q, S> next) {
        long start = System.nanoTime();
        String method = String.valueOf(call.getMethodDescriptor().getBareMethodName());
        return next.startCall(new SimpleForwardingServerCall<>(call) {
            @Override
            public void close(Status status, Metadata trailers) {
                timer(method, status.getCode()).record(System.nanoTime() - start, TimeUnit.NANOSECONDS);
                super.close(status, trailers);
            }
        }, headers);
    }

    private Timer timer(String method, Status.Code code) {
        return Timer.builder("berth.rpc").description("Duration of CRI and admin calls.")
                .tag("method", method)
                .tag("code", code.name()).serviceLevelObjectives(BUCKETS).register(registry);
    }
}
