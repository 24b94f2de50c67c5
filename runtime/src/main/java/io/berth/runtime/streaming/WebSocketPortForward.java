package io.berth.runtime.streaming;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Port-forward over WebSocket channels: port {@code i} of the request has channel {@code 2i} for data and {@code 2i+1} for
 * errors, and each begins with a message that holds the port, 16 bits, little endian.
 */
// Netty tells a failed write by closing the channel, which its handlers see.
@SuppressWarnings("FutureReturnValueIgnored")
final class WebSocketPortForward extends SimpleChannelInboundHandler<WebSocketFrame> {
    private static final Logger log = LoggerFactory.getLogger(WebSocketPortForward.class);

    private final StreamRequest.PortForward request;
    private final StreamingBackend backend;
    private final Outlet outlet;
    private final List<Inlet> inlets = new ArrayList<>();

    WebSocketPortForward(StreamRequest.PortForward request, StreamingBackend backend, Outlet outlet) {
        this.request = request;
        this.backend = backend;
        this.outlet = outlet;
        var gate = new ReadGate(outlet.channel());
        request.ports().forEach(_ -> inlets.add(new Inlet(gate)));
    }

    /** Connects every port of the request. */
    void start() {
        for (int i = 0; i < inlets.size(); i++) {
            int index = i;
            Thread.ofVirtual().name("port-forward-" + request.sandboxId()).start(() -> serve(index));
        }
    }

    private void serve(int index) {
        int port = request.ports().get(index);
        byte[] number = {(byte) port, (byte) (port >>> 8)};
        try {
            send(2 * index, ByteBuffer.wrap(number));
            send(2 * index + 1, ByteBuffer.wrap(number));
            forward(index, port);
        } catch (IOException e) {
            log.atDebug().addKeyValue("sandbox", request.sandboxId()).setCause(e).log("client went");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void forward(int index, int port) throws IOException, InterruptedException {
        try {
            PortConnection.join(backend.connect(request.sandboxId(), port), client(index));
        } catch (IOException e) {
            String text = Ports.failure(Integer.toString(port), request, e);
            send(2 * index + 1, ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
        }
    }

    private PortConnection.Client client(int index) {
        return new PortConnection.Client() {
            @Override
            public Inlet inlet() {
                return inlets.get(index);
            }

            @Override
            public void write(ByteBuffer data) throws IOException, InterruptedException {
                send(2 * index, data);
            }

            @Override
            public void finish() {
                // The protocol has no half-close; with one port the end of the pod's side is the end of all.
                if (inlets.size() == 1) {
                    Lingering.close(outlet.channel(), new CloseWebSocketFrame(1000, ""));
                }
            }

            @Override
            public void onDrop(Runnable action) {
                outlet.channel().closeFuture().addListener(_ -> action.run());
            }
        };
    }

    private void send(int channel, ByteBuffer data) throws IOException, InterruptedException {
        ByteBuf message = Unpooled.buffer(1 + data.remaining());
        message.writeByte(channel).writeBytes(data);
        outlet.write(new BinaryWebSocketFrame(message));
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
        int channel = content.readUnsignedByte();
        if (channel % 2 == 0 && channel / 2 < inlets.size()) {
            inlets.get(channel / 2).put(SpdyConnection.copy(content));
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        inlets.forEach(Inlet::end);
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        Disconnect.after(ctx, cause);
    }
}
