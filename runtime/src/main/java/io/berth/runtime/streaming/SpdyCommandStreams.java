package io.berth.runtime.streaming;

import io.netty.handler.codec.spdy.DefaultSpdyGoAwayFrame;
import io.netty.handler.codec.spdy.SpdySessionStatus;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * exec and attach over SPDY: the client opens one stream for each of error, stdin, stdout, stderr and resize that it
 * wants, named by the header {@code streamtype}; the command starts when all are there.
 */
// Netty tells a failed write by closing the channel, which its handlers see.
@SuppressWarnings("FutureReturnValueIgnored")
final class SpdyCommandStreams implements CommandStreams, SpdyConnection.Listener {
    private static final long STREAMS_TIMEOUT_SECONDS = 30;

    private final int version;
    private final Outlet outlet;
    private final Consumer<CommandStreams> start;
    private final Set<String> missing;
    private final Map<String, SpdyStream> streams = new HashMap<>();
    private final Inlet none;
    private boolean started;

    /**
     * @param version 1 to 4, of the remote command protocol
     * @param start called on the event loop once every expected stream is open
     */
    SpdyCommandStreams(StreamRequest.Command request, int version, Outlet outlet,
            Consumer<CommandStreams> start) {
        this.version = version;
        this.outlet = outlet;
        this.start = start;
        this.missing = expected(request, version);
        this.none = new Inlet(new ReadGate(outlet.channel()));
        none.end();
        outlet.channel().eventLoop().schedule(this::giveUp, STREAMS_TIMEOUT_SECONDS, TimeUnit.SECONDS);
    }

    private static Set<String> expected(StreamRequest.Command request, int version) {
        Set<String> expected = new HashSet<>(Set.of("error"));
        if (request.stdin()) {
            expected.add("stdin");
        }
        if (request.stdout()) {
            expected.add("stdout");
        }
        if (request.stderr() && !request.tty()) {
            expected.add("stderr");
        }
        if (request.tty() && version >= 3) {
            expected.add("resize");
        }
        return expected;
    }

    private void giveUp() {
        if (!started) {
            outlet.channel().close();
        }
    }

    @Override
    public void opened(SpdyStream stream) {
        String type = stream.header("streamtype");
        if (started || streams.putIfAbsent(type, stream) != null) {
            return;
        }
        missing.remove(type);
        if (missing.isEmpty()) {
            started = true;
            start.accept(this);
        }
    }

    @Override
    public void reset(SpdyStream stream) {}

    @Override
    public void closed() {}

    @Override
    public Inlet stdin() {
        return inlet("stdin");
    }

    @Override
    public Inlet resizes() {
        return inlet("resize");
    }

    private Inlet inlet(String type) {
        SpdyStream stream = streams.get(type);
        return stream == null ? none : stream.inlet();
    }

    @Override
    public void stdout(ByteBuffer data) throws IOException, InterruptedException {
        write(streams.get("stdout"), data);
    }

    @Override
    public void stderr(ByteBuffer data) throws IOException, InterruptedException {
        write(streams.get("stderr"), data);
    }

    private static void write(@Nullable SpdyStream stream, ByteBuffer data)
            throws IOException, InterruptedException {
        if (stream != null) {
            stream.write(data);
        }
    }

    @Override
    public void finish(Outcome outcome) throws IOException, InterruptedException {
        for (String type : new String[]{"stdout", "stderr"}) {
            SpdyStream stream = streams.get(type);
            if (stream != null) {
                stream.finish();
            }
        }
        SpdyStream error = streams.get("error");
        if (error != null) {
            error.write(ByteBuffer.wrap(version >= 4 ? outcome.statusJson() : outcome.plainText()));
            error.finish();
        }
        Lingering.close(outlet.channel(), new DefaultSpdyGoAwayFrame(0, SpdySessionStatus.OK));
    }

    @Override
    public void onClose(Runnable action) {
        // Closing a session may wait for a shim: never on the event loop.
        outlet.channel().closeFuture().addListener(_ -> Thread.startVirtualThread(action));
    }
}
