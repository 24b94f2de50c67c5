package io.berth.runtime.streaming;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.timeout.IdleStateHandler;
import io.berth.runtime.config.BerthConfig;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves the URLs that the CRI calls Exec, Attach and PortForward return. A URL works once, for one minute. Two event-loop
 * threads carry every connection; whatever may wait runs on virtual threads.
 */
// Netty tells a failed write by closing the channel, which its handlers see.
@SuppressWarnings("FutureReturnValueIgnored")
public final class StreamingServer implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(StreamingServer.class);

    private static final int EVENT_LOOPS = 2;
    private static final int MAX_REQUEST_BYTES = 16 << 10;

    private final Tokens tokens = new Tokens(StreamingServer::monotonic);
    private final EventLoopGroup loops;
    private final Channel channel;
    private final String baseUrl;

    private StreamingServer(BerthConfig.Streaming config, StreamingBackend backend) throws IOException {
        SslContext tls = tls(config);
        this.loops = new MultiThreadIoEventLoopGroup(EVENT_LOOPS,
                Thread.ofPlatform().daemon().name("berth-streaming-", 0).factory(),
                EpollIoHandler.newFactory());
        var bootstrap = new ServerBootstrap().group(loops).channel(EpollServerSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, 512).childOption(ChannelOption.TCP_NODELAY, true)
                .childHandler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel client) {
                        prepare(client, config, backend, tls);
                    }
                });
        var bound = bootstrap
                .bind(new InetSocketAddress(InetAddress.ofLiteral(config.address()), config.port()))
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            loops.shutdownGracefully(0, 0, TimeUnit.SECONDS);
            throw new IOException("streaming server cannot listen on " + config.address() + " port "
                    + config.port() + ": " + bound.cause().getMessage()
                    + "; choose another [streaming] address or port", bound.cause());
        }
        this.channel = bound.channel();
        this.baseUrl = (tls == null ? "http://" : "https://") + authority((InetSocketAddress) channel
                .localAddress());
        log.atInfo().addKeyValue("url", baseUrl).log("streaming server listens");
    }

    /**
     * Listens.
     *
     * @throws IOException where the address is taken or not this node's, or the TLS files cannot be used
     */
    public static StreamingServer start(BerthConfig.Streaming config, StreamingBackend backend)
            throws IOException {
        return new StreamingServer(config, backend);
    }

    /** A single-use URL for {@code request}; empty where too many requests wait for their client already. */
    public Optional<String> url(StreamRequest request) {
        return tokens.issue(request).map(token -> baseUrl + "/" + request.verb() + "/" + token);
    }

    private void prepare(SocketChannel client, BerthConfig.Streaming config, StreamingBackend backend,
            @Nullable SslContext tls) {
        if (tls != null) {
            client.pipeline().addLast(tls.newHandler(client.alloc()));
        }
        client.pipeline()
                .addLast(new IdleStateHandler(0, 0, config.idleTimeout().toMillis(), TimeUnit.MILLISECONDS));
        client.pipeline().addLast(new IdleClose());
        client.pipeline().addLast(new HttpServerCodec());
        client.pipeline().addLast(new HttpObjectAggregator(MAX_REQUEST_BYTES));
        client.pipeline().addLast(new Upgrade(tokens, backend));
    }

    private static @Nullable SslContext tls(BerthConfig.Streaming config) throws IOException {
        if (config.tlsCertificate().isEmpty() || config.tlsKey().isEmpty()) {
            return null;
        }
        try {
            return SslContextBuilder.forServer(config.tlsCertificate().get().toFile(), config.tlsKey().get()
                    .toFile()).build();
        } catch (SSLException | IllegalArgumentException e) {
            throw new IOException("streaming server cannot use the TLS certificate " + config.tlsCertificate()
                    .get() + " with the key " + config.tlsKey().get() + " (PEM, PKCS#8): " + e.getMessage(),
                    e);
        }
    }

    /** The host that clients are told; for a wildcard the node's first address that others can reach. */
    private static String authority(InetSocketAddress bound) throws IOException {
        InetAddress address = bound.getAddress();
        if (address.isAnyLocalAddress()) {
            address = NetworkInterface.networkInterfaces().flatMap(NetworkInterface::inetAddresses)
                    .filter(candidate -> !candidate.isLoopbackAddress() && !candidate.isLinkLocalAddress())
                    .findFirst().orElse(InetAddress.getLoopbackAddress());
        }
        String host = address.getHostAddress();
        return (address instanceof Inet6Address ? "[" + host + "]" : host) + ":" + bound.getPort();
    }

    /** Stops listening and drops every client. */
    @Override
    public void close() {
        channel.close();
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }

    /** Tokens expire by the clock that nobody sets. */
    private static Instant monotonic() {
        return Instant.EPOCH.plusNanos(System.nanoTime());
    }
}
