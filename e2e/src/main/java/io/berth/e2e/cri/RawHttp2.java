package io.berth.e2e.cri;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/**
 * HTTP/2 by hand, as a client would speak it that means no good: it says what it likes, in the pieces that it likes, and
 * keeps to the windows, so that the server has no reason to hang up. One thread writes, another one calls {@link #listen}.
 */
public final class RawHttp2 implements AutoCloseable {
    private static final String PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final int DATA = 0;
    private static final int HEADERS = 1;
    private static final int RST_STREAM = 3;
    private static final int SETTINGS = 4;
    private static final int PING = 6;
    private static final int WINDOW_UPDATE = 8;
    private static final int ACK = 1;
    private static final int INITIAL_WINDOW_SIZE = 4;
    private static final int END_STREAM = 1;
    private static final int END_HEADERS = 4;
    private static final int LITERAL = 0;
    private static final int REFUSED_STREAM = 7;

    private final SocketChannel channel;
    private final Map<Integer, Integer> windows = new HashMap<>();
    private int streamWindow = 65_535;
    private int connectionWindow = 65_535;
    private boolean closed;
    private boolean agreed;
    private int refused;
    private int nextStream = 1;

    /** Connects to the Unix socket {@code socket}, and says the preface and empty settings. */
    public RawHttp2(Path socket) throws IOException {
        channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(socket));
        write(ByteBuffer.wrap(PREFACE.getBytes(StandardCharsets.US_ASCII)));
        frame(SETTINGS, 0, 0, new byte[0]);
    }

    /** Begins a call of {@code method} (its short name) of the RuntimeService; gives its stream. */
    public int call(String method) throws IOException {
        var block = new ByteArrayOutputStream();
        header(block, ":method", "POST");
        header(block, ":scheme", "http");
        header(block, ":path", "/runtime.v1.RuntimeService/" + method);
        header(block, ":authority", "localhost");
        header(block, "content-type", "application/grpc");
        header(block, "te", "trailers");
        int stream = nextStream;
        nextStream += 2;
        frame(HEADERS, END_HEADERS, stream, block.toByteArray());
        return stream;
    }

    /** Sends part of a call's request, once the windows let it. */
    public void data(int stream, byte[] bytes, boolean last) throws IOException {
        synchronized (windows) {
            while (Math.min(connectionWindow, windows.getOrDefault(stream, streamWindow)) < bytes.length) {
                if (closed) {
                    throw new IOException("the server has hung up");
                }
                try {
                    windows.wait();
                } catch (InterruptedException e) {
                    throw new InterruptedIOException();
                }
            }
            connectionWindow -= bytes.length;
            windows.merge(stream, streamWindow - bytes.length, (now, first) -> now - bytes.length);
        }
        frame(DATA, last ? END_STREAM : 0, stream, bytes);
    }

    /** Takes what the server says, until it hangs up. */
    public void listen() {
        try (var in = new DataInputStream(Channels.newInputStream(channel))) {
            while (true) {
                int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
                int type = in.readUnsignedByte();
                int flags = in.readUnsignedByte();
                int stream = in.readInt() & Integer.MAX_VALUE;
                byte[] payload = new byte[length];
                in.readFully(payload);
                hear(type, flags, stream, payload);
            }
        } catch (IOException e) {
            synchronized (windows) {
                closed = true;
                windows.notifyAll();
            }
        }
    }

    /** Waits until the server's settings, its limits among them, hold; somebody must {@link #listen}. */
    public void awaitSettings() {
        Await.until("the server has said its settings", PATIENCE, () -> {
            synchronized (windows) {
                return agreed;
            }
        }, said -> said);
    }

    /** How many calls the server would not begin. */
    public int refused() {
        synchronized (windows) {
            return refused;
        }
    }

    private void hear(int type, int flags, int stream, byte[] payload) throws IOException {
        ByteBuffer body = ByteBuffer.wrap(payload);
        synchronized (windows) {
            if (type == WINDOW_UPDATE && stream == 0) {
                connectionWindow += body.getInt();
            } else if (type == WINDOW_UPDATE) {
                int more = body.getInt();
                windows.computeIfPresent(stream, (id, window) -> window + more);
            } else if (type == RST_STREAM) {
                refused += body.getInt() == REFUSED_STREAM ? 1 : 0;
            } else if (type == SETTINGS) {
                while (body.hasRemaining()) {
                    if (body.getShort() == INITIAL_WINDOW_SIZE) {
                        streamWindow = body.getInt();
                    } else {
                        body.getInt();
                    }
                }
            }
            windows.notifyAll();
        }
        if (type == PING && (flags & ACK) == 0) {
            frame(PING, ACK, 0, payload);
        } else if (type == SETTINGS && (flags & ACK) == 0) {
            frame(SETTINGS, ACK, 0, new byte[0]);
            synchronized (windows) {
                agreed = true;
            }
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    /** Neither indexed nor compressed. */
    private static void header(ByteArrayOutputStream block, String name, String value) {
        block.write(LITERAL);
        for (String text : new String[]{name, value}) {
            block.write(text.length());
            block.writeBytes(text.getBytes(StandardCharsets.US_ASCII));
        }
    }

    private void frame(int type, int flags, int stream, byte[] payload) throws IOException {
        ByteBuffer frame = ByteBuffer.allocate(9 + payload.length);
        frame.put((byte) (payload.length >> 16)).putShort((short) payload.length).put((byte) type)
                .put((byte) flags).putInt(stream).put(payload);
        write(frame.flip());
    }

    private synchronized void write(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
