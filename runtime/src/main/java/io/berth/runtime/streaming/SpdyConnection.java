package io.berth.runtime.streaming;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.spdy.DefaultSpdyRstStreamFrame;
import io.netty.handler.codec.spdy.DefaultSpdySynReplyFrame;
import io.netty.handler.codec.spdy.SpdyDataFrame;
import io.netty.handler.codec.spdy.SpdyFrame;
import io.netty.handler.codec.spdy.SpdyFrameCodec;
import io.netty.handler.codec.spdy.SpdyGoAwayFrame;
import io.netty.handler.codec.spdy.SpdyPingFrame;
import io.netty.handler.codec.spdy.SpdyRstStreamFrame;
import io.netty.handler.codec.spdy.SpdyStreamStatus;
import io.netty.handler.codec.spdy.SpdySynStreamFrame;
import io.netty.handler.codec.spdy.SpdyVersion;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * The server's side of SPDY/3.1 as Kubernetes clients use it: every stream is opened by the client, and nobody counts
 * windows (the Go client sends no WINDOW_UPDATE, so a server that waited for one would stall at 64 KiB); TCP alone holds
 * a sender back.
 */
// Netty tells a failed write by closing the channel, which its handlers see.
@SuppressWarnings("FutureReturnValueIgnored")
final class SpdyConnection extends SimpleChannelInboundHandler<SpdyFrame> {
    /** More than any client needs; bounds what one connection can take. */
    private static final int MAX_STREAMS = 2048;

    /** Told on the event loop, must not block. */
    interface Listener {
        /** A stream was opened and accepted. */
        void opened(SpdyStream stream);

        /** The client reset {@code stream}; its inlet has ended. */
        void reset(SpdyStream stream);

        /** The connection is gone; all inlets have ended. */
        void closed();
    }

    private final Listener listener;
    private final Outlet outlet;
    private final ReadGate gate;
    private final Map<Integer, SpdyStream> streams = new HashMap<>();

    private SpdyConnection(Listener listener, Outlet outlet, ReadGate gate) {
        this.listener = listener;
        this.outlet = outlet;
        this.gate = gate;
    }

    /** Speaks SPDY from here on, at the end of {@code pipeline}. On the event loop. */
    static void install(ChannelPipeline pipeline, Outlet outlet, Listener listener) {
        pipeline.addLast(new SpdyFrameCodec(SpdyVersion.SPDY_3_1));
        pipeline.addLast(new SpdyConnection(listener, outlet, new ReadGate(pipeline.channel())));
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, SpdyFrame frame) {
        switch (frame) {
            case SpdySynStreamFrame syn -> open(ctx, syn);
            case SpdyDataFrame data -> data(data);
            case SpdyRstStreamFrame rst -> reset(rst.streamId());
            case SpdyPingFrame ping -> ctx.writeAndFlush(ping);
            case SpdyGoAwayFrame _ -> {
                // The client opens no more streams; those that are open go on.
            }
            default -> {
                // SETTINGS, WINDOW_UPDATE, HEADERS and what is unknown change nothing here.
            }
        }
    }

    private void open(ChannelHandlerContext ctx, SpdySynStreamFrame syn) {
        int id = syn.streamId();
        if (syn.isInvalid() || syn.isTruncated() || id % 2 == 0 || streams.containsKey(id)) {
            ctx.writeAndFlush(new DefaultSpdyRstStreamFrame(id, SpdyStreamStatus.PROTOCOL_ERROR));
            return;
        }
        if (streams.size() >= MAX_STREAMS) {
            ctx.writeAndFlush(new DefaultSpdyRstStreamFrame(id, SpdyStreamStatus.REFUSED_STREAM));
            return;
        }
        var stream = new SpdyStream(id, syn.headers(), new Inlet(gate), outlet);
        streams.put(id, stream);
        ctx.writeAndFlush(reply(id));
        if (syn.isLast()) {
            end(stream);
        }
        listener.opened(stream);
    }

    /**
     * Netty leaves out the header block of a reply without headers, and the Go client then waits for it; so a reply always
     * has a header.
     */
    private static DefaultSpdySynReplyFrame reply(int id) {
        var reply = new DefaultSpdySynReplyFrame(id);
        reply.headers().set("server", "berth");
        return reply;
    }

    private void data(SpdyDataFrame data) {
        SpdyStream stream = streams.get(data.streamId());
        if (stream == null) {
            // Data may be under way for a stream that both sides have ended: no reason to reset anything.
            return;
        }
        stream.inlet().put(copy(data.content()));
        if (data.isLast()) {
            end(stream);
        }
    }

    private void end(SpdyStream stream) {
        stream.inlet().end();
        streams.remove(stream.id());
    }

    private void reset(int id) {
        SpdyStream stream = streams.remove(id);
        if (stream != null) {
            stream.inlet().discard();
            listener.reset(stream);
        }
    }

    static ByteBuffer copy(ByteBuf content) {
        ByteBuffer copy = ByteBuffer.allocate(content.readableBytes());
        content.readBytes(copy);
        return copy.flip();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        streams.values().forEach(stream -> stream.inlet().end());
        streams.clear();
        listener.closed();
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        Disconnect.after(ctx, cause);
    }
}
