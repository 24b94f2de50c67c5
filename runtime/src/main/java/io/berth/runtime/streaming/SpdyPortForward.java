package io.berth.runtime.streaming;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Port-forward over SPDY ({@code portforward.k8s.io}): a connection is a pair of streams, {@code streamtype} error and
 * data, with the same {@code requestid} and {@code port}.
 */
final class SpdyPortForward implements SpdyConnection.Listener {
    private static final Logger log = LoggerFactory.getLogger(SpdyPortForward.class);

    private final StreamRequest.PortForward request;
    private final StreamingBackend backend;
    /** Half-made pairs, by request id. Only on the event loop. */
    private final Map<String, SpdyStream> waiting = new HashMap<>();
    /** What to do when a data stream is dropped, by stream. Guarded by itself. */
    private final Map<SpdyStream, Runnable> drops = new HashMap<>();

    SpdyPortForward(StreamRequest.PortForward request, StreamingBackend backend) {
        this.request = request;
        this.backend = backend;
    }

    @Override
    public void opened(SpdyStream stream) {
        String id = requestId(stream);
        SpdyStream other = waiting.remove(id);
        if (other == null) {
            waiting.put(id, stream);
            return;
        }
        boolean dataFirst = other.header("streamtype").equals("data");
        SpdyStream data = dataFirst ? other : stream;
        SpdyStream error = dataFirst ? stream : other;
        Thread.ofVirtual().name("port-forward-" + request.sandboxId()).start(() -> serve(data, error));
    }

    /** Old clients send no request id; their error stream comes right before its data stream. */
    private static String requestId(SpdyStream stream) {
        String id = stream.header("requestid");
        if (!id.isEmpty()) {
            return id;
        }
        boolean error = stream.header("streamtype").equals("error");
        return "stream " + (error ? stream.id() : stream.id() - 2);
    }

    private void serve(SpdyStream data, SpdyStream error) {
        try {
            // The client has nothing to say there; its half-close is no news.
            error.inlet().discard();
            forward(data, error);
        } catch (IOException e) {
            log.atDebug().addKeyValue("sandbox", request.sandboxId()).setCause(e).log("client went");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            takeDrop(data);
        }
    }

    private void forward(SpdyStream data, SpdyStream error) throws IOException, InterruptedException {
        SocketChannel remote;
        try {
            remote = backend.connect(request.sandboxId(), Ports.parse(data.header("port")));
        } catch (IOException e) {
            error.write(ByteBuffer.wrap(Ports.failure(data.header("port"), request, e).getBytes(
                    StandardCharsets.UTF_8)));
            error.finish();
            data.reset();
            return;
        }
        try {
            PortConnection.join(remote, client(data));
        } catch (IOException e) {
            error.write(ByteBuffer.wrap(Ports.failure(data.header("port"), request, e).getBytes(
                    StandardCharsets.UTF_8)));
            data.reset();
        }
        error.finish();
    }

    private PortConnection.Client client(SpdyStream data) {
        return new PortConnection.Client() {
            @Override
            public Inlet inlet() {
                return data.inlet();
            }

            @Override
            public void write(ByteBuffer bytes) throws IOException, InterruptedException {
                data.write(bytes);
            }

            @Override
            public void finish() throws IOException, InterruptedException {
                data.finish();
            }

            @Override
            public void onDrop(Runnable action) {
                synchronized (drops) {
                    drops.put(data, action);
                }
            }
        };
    }

    private @Nullable Runnable takeDrop(SpdyStream data) {
        synchronized (drops) {
            return drops.remove(data);
        }
    }

    @Override
    public void reset(SpdyStream stream) {
        Runnable drop = takeDrop(stream);
        if (drop != null) {
            drop.run();
        }
    }

    @Override
    public void closed() {
        List<Runnable> all;
        synchronized (drops) {
            all = new ArrayList<>(drops.values());
            drops.clear();
        }
        all.forEach(Runnable::run);
    }
}
