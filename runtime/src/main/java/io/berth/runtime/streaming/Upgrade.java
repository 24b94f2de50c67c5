package io.berth.runtime.streaming;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshaker;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshakerFactory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The one HTTP request of a connection: checks its token, agrees on a protocol, and hands the connection over. */
// Netty tells a failed write by closing the channel, which its handlers see.
@SuppressWarnings("FutureReturnValueIgnored")
final class Upgrade extends SimpleChannelInboundHandler<FullHttpRequest> {
    private static final String PROTOCOL_HEADER = "X-Stream-Protocol-Version";
    private static final String ACCEPTED_HEADER = "X-Accepted-Stream-Protocol-Versions";
    private static final int MAX_WEB_SOCKET_BYTES = 4 << 20;

    /** Newest first; a client that names none means the first version. */
    private static final List<String> SPDY_COMMAND = List.of("v4.channel.k8s.io", "v3.channel.k8s.io",
            "v2.channel.k8s.io", "channel.k8s.io");
    private static final List<String> SPDY_PORT_FORWARD = List.of("portforward.k8s.io");
    private static final String V5 = "v5.channel.k8s.io";
    private static final List<String> WEB_SOCKET_COMMAND = List.of(V5, "v4.channel.k8s.io");
    private static final String TUNNEL = "SPDY/3.1+portforward.k8s.io";
    private static final List<String> WEB_SOCKET_PORT_FORWARD = List.of(TUNNEL, "v4.channel.k8s.io");

    /** From the connection on, with TLS' handshake. */
    private static final long REQUEST_LIMIT_SECONDS = 10;

    private final Tokens tokens;
    private final StreamingBackend backend;
    private @Nullable Future<?> deadline;

    Upgrade(Tokens tokens, StreamingBackend backend) {
        this.tokens = tokens;
        this.backend = backend;
    }

    /** A client that does not say what it wants must not hold a connection for the idle timeout, which is hours. */
    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        deadline = ctx.executor().schedule(() -> ctx.close(), REQUEST_LIMIT_SECONDS, TimeUnit.SECONDS);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        Future<?> pending = deadline;
        if (pending != null) {
            pending.cancel(false);
        }
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest http) {
        String upgrade = http.headers().get(HttpHeaderNames.UPGRADE, "");
        boolean spdy = upgrade.equalsIgnoreCase("SPDY/3.1");
        if (!http.decoderResult().isSuccess() || (!spdy && !upgrade.equalsIgnoreCase("websocket"))) {
            refuse(ctx, HttpResponseStatus.BAD_REQUEST,
                    "this URL wants \"Upgrade: SPDY/3.1\" or \"Upgrade: websocket\"");
            return;
        }
        Optional<StreamRequest> request = redeem(http.uri());
        if (request.isEmpty()) {
            refuse(ctx, HttpResponseStatus.NOT_FOUND, "unknown, used or expired (after " + Tokens.LIFETIME
                    .toSeconds() + " s) streaming URL; ask the CRI for a new one");
            return;
        }
        if (spdy) {
            spdy(ctx, http, request.get());
        } else {
            webSocket(ctx, http, request.get());
        }
    }

    private Optional<StreamRequest> redeem(String uri) {
        String path = uri.split("\\?", 2)[0];
        String[] parts = path.split("/", -1);
        return parts.length == 3 && parts[0].isEmpty() ? tokens.redeem(parts[1], parts[2]) : Optional.empty();
    }

    private void spdy(ChannelHandlerContext ctx, FullHttpRequest http, StreamRequest request) {
        List<String> supported = request instanceof StreamRequest.PortForward
                ? SPDY_PORT_FORWARD
                : SPDY_COMMAND;
        List<String> asked = values(http.headers().getAll(PROTOCOL_HEADER));
        String chosen = asked.isEmpty()
                ? supported.getLast()
                : asked.stream().filter(supported::contains).findFirst().orElse("");
        if (chosen.isEmpty()) {
            refuse(ctx, HttpResponseStatus.FORBIDDEN, "none of the stream protocols " + asked
                    + " is spoken here; these are: " + supported);
            return;
        }
        var response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1,
                HttpResponseStatus.SWITCHING_PROTOCOLS);
        response.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.UPGRADE)
                .set(HttpHeaderNames.UPGRADE, "SPDY/3.1").set(PROTOCOL_HEADER, chosen);
        ctx.writeAndFlush(response);
        ChannelPipeline pipeline = ctx.pipeline();
        Outlet outlet = outlet(pipeline);
        SpdyConnection.install(pipeline, outlet, spdyListener(request, chosen, outlet));
        pipeline.remove(HttpObjectAggregator.class);
        pipeline.remove(HttpServerCodec.class);
        pipeline.remove(this);
    }

    private SpdyConnection.Listener spdyListener(StreamRequest request, String protocol, Outlet outlet) {
        return switch (request) {
            case StreamRequest.PortForward forward -> new SpdyPortForward(forward, backend);
            case StreamRequest.Command command -> {
                int version = SPDY_COMMAND.size() - SPDY_COMMAND.indexOf(protocol);
                yield new SpdyCommandStreams(command, version, outlet,
                        streams -> RemoteCommand.start(command, backend, streams));
            }
        };
    }

    private void webSocket(ChannelHandlerContext ctx, FullHttpRequest http, StreamRequest request) {
        boolean forward = request instanceof StreamRequest.PortForward;
        List<String> supported = forward ? WEB_SOCKET_PORT_FORWARD : WEB_SOCKET_COMMAND;
        List<String> asked = values(http.headers().getAll(HttpHeaderNames.SEC_WEBSOCKET_PROTOCOL));
        if (asked.stream().noneMatch(supported::contains)) {
            refuse(ctx, HttpResponseStatus.FORBIDDEN, "none of the WebSocket protocols " + asked
                    + " is spoken here; these are: " + supported);
            return;
        }
        var factory = new WebSocketServerHandshakerFactory(null, String.join(",", supported), false,
                MAX_WEB_SOCKET_BYTES);
        WebSocketServerHandshaker handshaker = factory.newHandshaker(http);
        if (handshaker == null) {
            WebSocketServerHandshakerFactory.sendUnsupportedVersionResponse(ctx.channel());
            return;
        }
        handshaker.handshake(ctx.channel(), http).addListener(done -> {
            if (done.isSuccess()) {
                serveWebSocket(ctx, request, String.valueOf(handshaker.selectedSubprotocol()));
            } else {
                ctx.close();
            }
        });
    }

    private void serveWebSocket(ChannelHandlerContext ctx, StreamRequest request, String protocol) {
        ChannelPipeline pipeline = ctx.pipeline();
        Outlet outlet = outlet(pipeline);
        switch (request) {
            case StreamRequest.PortForward forward when protocol.equals(TUNNEL) -> {
                pipeline.addLast(new WebSocketTunnel());
                SpdyConnection.install(pipeline, outlet, new SpdyPortForward(forward, backend));
            }
            case StreamRequest.PortForward forward -> {
                var handler = new WebSocketPortForward(forward, backend, outlet);
                pipeline.addLast(new WebSocketFrameAggregator(MAX_WEB_SOCKET_BYTES), handler);
                handler.start();
            }
            case StreamRequest.Command command -> {
                var streams = new WebSocketCommandStreams(command, protocol.equals(V5), outlet);
                pipeline.addLast(new WebSocketFrameAggregator(MAX_WEB_SOCKET_BYTES), streams);
                streams.greet(pipeline.lastContext());
                RemoteCommand.start(command, backend, streams);
            }
        }
        pipeline.remove(this);
    }

    private static Outlet outlet(ChannelPipeline pipeline) {
        var outlet = new Outlet(pipeline.channel());
        pipeline.addLast(outlet);
        return outlet;
    }

    private static List<String> values(List<String> headers) {
        List<String> values = new ArrayList<>();
        headers.forEach(
                header -> Arrays.stream(header.split(",")).map(String::strip).filter(v -> !v.isEmpty())
                        .forEach(values::add));
        return values;
    }

    private static void refuse(ChannelHandlerContext ctx, HttpResponseStatus status, String text) {
        var response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status,
                Unpooled.copiedBuffer(text + "\n",
                        StandardCharsets.UTF_8));
        response.headers().set(HttpHeaderNames.CONTENT_TYPE, "text/plain; charset=utf-8")
                .set(HttpHeaderNames.CONTENT_LENGTH, response.content().readableBytes())
                .set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        if (status.equals(HttpResponseStatus.FORBIDDEN)) {
            SPDY_COMMAND.forEach(protocol -> response.headers().add(ACCEPTED_HEADER, protocol));
        }
        ctx.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        Disconnect.after(ctx, cause);
    }
}
