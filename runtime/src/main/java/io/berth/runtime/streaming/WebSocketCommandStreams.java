package io.berth.runtime.streaming;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketCloseStatus;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * exec and attach over WebSocket: the first byte of a binary message is its channel (0 stdin, 1 stdout, 2 stderr, 3 error,
 * 4 resize). In v5 a message of 255 and a channel's number closes that channel.
 */
// Netty tells a failed write by closing the channel, which its handlers see.
@SuppressWarnings("FutureReturnValueIgnored")
final class WebSocketCommandStreams extends SimpleChannelInboundHandler<WebSocketFrame>
        implements
            CommandStreams {
    private static final int STDIN = 0;
    private static final int STDOUT = 1;
    private static final int STDERR = 2;
    private static final int ERROR = 3;
    private static final int RESIZE = 4;
    private static final int CLOSE = 255;

    private final StreamRequest.Command request;
    private final boolean halfClose;
    private final Outlet outlet;
    private final Inlet stdin;
    private final Inlet resizes;

    /** @param halfClose whether the protocol is v5 */
    WebSocketCommandStreams(StreamRequest.Command request, boolean halfClose, Outlet outlet) {
        this.request = request;
        this.halfClose = halfClose;
        this.outlet = outlet;
        var gate = new ReadGate(outlet.channel());
        this.stdin = new Inlet(gate);
        this.resizes = new Inlet(gate);
    }

    /** Tells the client by an empty message, as Kubernetes' clients expect, that the streams are up. */
    void greet(ChannelHandlerContext ctx) {
        int channel = request.stdout() ? STDOUT : request.stderr() ? STDERR : ERROR;
        ctx.writeAndFlush(new BinaryWebSocketFrame(Unpooled.wrappedBuffer(new byte[]{(byte) channel})));
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
        switch (frame) {
            case BinaryWebSocketFrame binary -> message(binary.content());
            case PingWebSocketFrame ping ->
                ctx.writeAndFlush(new PongWebSocketFrame(ping.content().retain()));
            case CloseWebSocketFrame close -> ctx.writeAndFlush(close.retain()).addListener(_ -> ctx.close());
            default -> {
                // A text message has no channel byte; a pong asks for nothing.
            }
        }
    }

    private void message(ByteBuf content) {
        if (!content.isReadable()) {
            return;
        }
        switch (content.readUnsignedByte()) {
            case STDIN -> stdin.put(SpdyConnection.copy(content));
            case RESIZE -> resizes.put(SpdyConnection.copy(content));
            case CLOSE -> {
                if (halfClose && content.isReadable() && content.readUnsignedByte() == STDIN) {
                    stdin.end();
                }
            }
            default -> {
                // The other channels are ours to write.
            }
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        stdin.end();
        resizes.end();
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        Disconnect.after(ctx, cause);
    }

    @Override
    public Inlet stdin() {
        return stdin;
    }

    @Override
    public Inlet resizes() {
        return resizes;
    }

    @Override
    public void stdout(ByteBuffer data) throws IOException, InterruptedException {
        if (request.stdout()) {
            send(STDOUT, data);
        }
    }

    @Override
    public void stderr(ByteBuffer data) throws IOException, InterruptedException {
        if (request.stderr()) {
            send(STDERR, data);
        }
    }

    private void send(int channel, ByteBuffer data) throws IOException, InterruptedException {
        ByteBuf message = Unpooled.buffer(1 + data.remaining());
        message.writeByte(channel).writeBytes(data);
        outlet.write(new BinaryWebSocketFrame(message));
    }

    @Override
    public void finish(Outcome outcome) throws IOException, InterruptedException {
        send(ERROR, ByteBuffer.wrap(outcome.statusJson()));
        Lingering.close(outlet.channel(), new CloseWebSocketFrame(WebSocketCloseStatus.NORMAL_CLOSURE));
    }

    @Override
    public void onClose(Runnable action) {
        outlet.channel().closeFuture().addListener(_ -> Thread.startVirtualThread(action));
    }
}
