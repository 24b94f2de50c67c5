package io.berth.runtime.daemon;

import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.ServerInterceptor;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** A gRPC server on a Unix socket. One event loop moves the bytes; every call runs on a virtual thread of its own. */
public final class CriServer implements AutoCloseable {
    /** What kubelet and crictl allow, too. */
    private static final int MAX_MESSAGE_BYTES = 16 << 20;

    /** A client may ping as often as this; gRPC's own default (5 min) cuts off clients with usual settings. */
    private static final Duration MIN_KEEPALIVE = Duration.ofSeconds(5);

    /** A client that is silent is asked whether it lives; one that does not answer is dropped with all that waits for it. */
    private static final Duration ARE_YOU_THERE = Duration.ofSeconds(15);

    private static final int MAX_CALLS_PER_CONNECTION = 1024;

    private final Server server;
    private final SocketFile socket;
    private final MultiThreadIoEventLoopGroup eventLoop;
    private final ExecutorService calls;

    private CriServer(Server server, SocketFile socket, MultiThreadIoEventLoopGroup eventLoop,
            ExecutorService calls) {
        this.server = server;
        this.socket = socket;
        this.eventLoop = eventLoop;
        this.calls = calls;
    }

    /**
     * Starts to serve {@code services} at {@code path}, root and its group only.
     *
     * @param interceptors outermost first
     * @throws DaemonException where somebody else listens there, or the socket cannot be made
     */
    public static CriServer start(Path path, List<BindableService> services,
            List<ServerInterceptor> interceptors)
            throws DaemonException {
        SocketFile socket = SocketFile.claim(path);
        var eventLoop = new MultiThreadIoEventLoopGroup(1, Thread.ofPlatform().name("grpc-io").factory(),
                EpollIoHandler.newFactory());
        ExecutorService calls = Executors
                .newThreadPerTaskExecutor(Thread.ofVirtual().name("rpc-", 0).factory());
        NettyServerBuilder builder = NettyServerBuilder
                .forAddress(new DomainSocketAddress(socket.bindPath().toFile()))
                .channelType(EpollServerDomainSocketChannel.class).bossEventLoopGroup(eventLoop)
                .workerEventLoopGroup(eventLoop).executor(calls).maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .maxConcurrentCallsPerConnection(MAX_CALLS_PER_CONNECTION)
                .permitKeepAliveTime(MIN_KEEPALIVE.toMillis(), TimeUnit.MILLISECONDS)
                .permitKeepAliveWithoutCalls(true)
                .keepAliveTime(ARE_YOU_THERE.toMillis(), TimeUnit.MILLISECONDS)
                .keepAliveTimeout(ARE_YOU_THERE.toMillis(), TimeUnit.MILLISECONDS);
        services.forEach(builder::addService);
        var unread = new UnreadAnswers();
        builder.addTransportFilter(unread.connections()).intercept(unread);
        // gRPC calls the one added last first.
        interceptors.reversed().forEach(builder::intercept);
        var server = new CriServer(builder.build(), socket, eventLoop, calls);
        try {
            server.server.start();
            socket.publish();
            return server;
        } catch (IOException e) {
            server.close();
            throw new DaemonException("cannot listen at " + path + ": " + e, e);
        }
    }

    /** Takes no more calls and waits for those that run, at most {@code grace}; then cancels them. */
    public void stop(Duration grace) {
        socket.close();
        server.shutdown();
        try {
            if (!server.awaitTermination(grace.toMillis(), TimeUnit.MILLISECONDS)) {
                server.shutdownNow();
                server.awaitTermination(1, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            server.shutdownNow();
            Thread.currentThread().interrupt();
        }
        calls.shutdownNow();
        eventLoop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(2, TimeUnit.SECONDS);
    }

    /** Ends at once. */
    @Override
    public void close() {
        stop(Duration.ZERO);
    }
}
