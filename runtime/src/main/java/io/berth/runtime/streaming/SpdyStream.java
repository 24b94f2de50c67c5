package io.berth.runtime.streaming;

import io.netty.buffer.Unpooled;
import io.netty.handler.codec.spdy.DefaultSpdyDataFrame;
import io.netty.handler.codec.spdy.DefaultSpdyRstStreamFrame;
import io.netty.handler.codec.spdy.SpdyHeaders;
import io.netty.handler.codec.spdy.SpdyStreamStatus;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;

/** One stream of a SPDY connection, opened by the client. */
final class SpdyStream {
    private final int id;
    private final SpdyHeaders headers;
    private final Inlet inlet;
    private final Outlet outlet;
    private final AtomicBoolean finished = new AtomicBoolean();

    SpdyStream(int id, SpdyHeaders headers, Inlet inlet, Outlet outlet) {
        this.id = id;
        this.headers = headers;
        this.inlet = inlet;
        this.outlet = outlet;
    }

    int id() {
        return id;
    }

    /** A header's value, empty where absent. Names are lower case on the wire. */
    String header(String name) {
        CharSequence value = headers.get(name);
        return value == null ? "" : value.toString();
    }

    /** What the client sends. */
    Inlet inlet() {
        return inlet;
    }

    /** Sends a copy of {@code data}, waiting for a slow client. */
    void write(ByteBuffer data) throws IOException, InterruptedException {
        if (data.hasRemaining()) {
            outlet.write(new DefaultSpdyDataFrame(id, Unpooled.copiedBuffer(data)));
            data.position(data.limit());
        }
    }

    /** Ends our half of the stream. Once is enough. */
    void finish() throws IOException, InterruptedException {
        if (finished.compareAndSet(false, true)) {
            var last = new DefaultSpdyDataFrame(id);
            last.setLast(true);
            outlet.write(last);
        }
    }

    /** Ends both halves at once. */
    void reset() throws IOException, InterruptedException {
        if (finished.compareAndSet(false, true)) {
            outlet.write(new DefaultSpdyRstStreamFrame(id, SpdyStreamStatus.INTERNAL_ERROR));
        }
        inlet.discard();
    }
}
