package io.berth.e2e.cri;

import io.berth.cri.v1.ImageServiceGrpc;
import io.berth.cri.v1.ImageServiceGrpc.ImageServiceBlockingStub;
import io.berth.cri.v1.RuntimeServiceGrpc;
import io.berth.cri.v1.RuntimeServiceGrpc.RuntimeServiceBlockingStub;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** A client's connection to a CRI socket, made with its first call. */
public final class Cri implements AutoCloseable {
    private static final Duration DEADLINE = Duration.ofMinutes(4);
    /** kubelet's limit. */
    private static final int MAX_MESSAGE_BYTES = 16 << 20;

    private final EventLoopGroup loop;
    private final ManagedChannel channel;

    private Cri(EventLoopGroup loop, ManagedChannel channel) {
        this.loop = loop;
        this.channel = channel;
    }

    /** A connection to the Unix socket {@code socket}. */
    public static Cri connect(Path socket) {
        var loop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        ManagedChannel channel = NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toString()))
                .eventLoopGroup(loop)
                .channelType(EpollDomainSocketChannel.class)
                .overrideAuthority("localhost")
                .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .usePlaintext()
                .build();
        return new Cri(loop, channel);
    }

    /** Sandboxes and containers; each call of the stub may take four minutes. */
    public RuntimeServiceBlockingStub runtime() {
        return runtime(DEADLINE);
    }

    /** Sandboxes and containers, with {@code deadline} from now for the stub's calls. */
    public RuntimeServiceBlockingStub runtime(Duration deadline) {
        return RuntimeServiceGrpc.newBlockingStub(channel).withDeadlineAfter(deadline);
    }

    /** Images; each call of the stub may take four minutes. */
    public ImageServiceBlockingStub images() {
        return images(DEADLINE);
    }

    /** Images, with {@code deadline} from now for the stub's calls. */
    public ImageServiceBlockingStub images(Duration deadline) {
        return ImageServiceGrpc.newBlockingStub(channel).withDeadlineAfter(deadline);
    }

    /** The connection, for other services on the same socket. */
    public ManagedChannel channel() {
        return channel;
    }

    /**
     * What a call of {@code method} with an empty request answers: the error, or none.
     *
     * @param deadline after which a stream without an end is given up, as without an error
     */
    public Optional<Status> errorOf(MethodDescriptor<?, ?> method, Duration deadline) {
        try {
            callEmpty(method, deadline);
            return Optional.empty();
        } catch (StatusRuntimeException e) {
            return Optional.of(e.getStatus());
        }
    }

    /** A call that its caller conducts. */
    public <Q, A> ClientCall<Q, A> call(MethodDescriptor<Q, A> method, CallOptions options) {
        return channel.newCall(method, options);
    }

    private <Q, A> void callEmpty(MethodDescriptor<Q, A> method, Duration deadline) {
        Q request = method.parseRequest(InputStream.nullInputStream());
        CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(deadline);
        ClientCalls.blockingServerStreamingCall(channel, method, options, request)
                .forEachRemaining(answer -> {});
    }

    @Override
    public void close() {
        channel.shutdownNow();
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
    }
}
