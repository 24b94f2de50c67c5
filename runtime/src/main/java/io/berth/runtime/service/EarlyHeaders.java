package io.berth.runtime.service;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;

/**
 * Lets a call of many answers send its headers before the first of them, which gRPC's stubs have no method for. To a client
 * they say that it is listened to from now on: {@code onHeaders} in Java, {@code stream.Header()} in Go.
 */
public final class EarlyHeaders implements ServerInterceptor {
    private static final Context.Key<Runnable> SEND = Context.key("berth.headers");

    /** Sends those of the call in whose {@link Context} this thread is. */
    static void send() {
        Runnable send = SEND.get();
        if (send != null) {
            send.run();
        }
    }

    @Override
    public <Q, S> ServerCall.Listener<Q> interceptCall(ServerCall<Q, S> call, Metadata headers,
            ServerCallHandler<Q, S> next) {
        if (call.getMethodDescriptor().getType().serverSendsOneMessage()) {
            return next.startCall(call, headers);
        }
        var once = new SimpleForwardingServerCall<>(call) {
            private boolean sent;

            // The stub sends them with the first answer, too.
            @Override
            public void sendHeaders(Metadata own) {
                if (!sent) {
                    sent = true;
                    super.sendHeaders(own);
                }
            }
        };
        Context context = Context.current().withValue(SEND, () -> once.sendHeaders(new Metadata()));
        return Contexts.interceptCall(context, once, headers, next);
    }
}
