package io.berth.e2e.streaming;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A client on a socket that blocks, so that what it does not read stays in the kernel. One thread may read while another
 * writes.
 */
public abstract class StreamClient implements AutoCloseable {
    public static final int STDIN = 0;
    public static final int STDOUT = 1;
    public static final int STDERR = 2;
    /** The outcome of a command. */
    public static final int ERROR = 3;
    /** Both ways of the first forwarded port. */
    public static final int PORT_DATA = 0;
    public static final int PORT_ERROR = 1;

    private static final int READ_BYTES = 256 << 10;

    private final Socket socket;
    protected final DataInputStream in;
    protected final OutputStream out;

    /** What came on one channel. */
    @SuppressWarnings("ArrayRecordComponent") // Never compared.
    public record Data(int channel, byte[] bytes) {
        public String text() {
            return new String(bytes, StandardCharsets.UTF_8);
        }
    }

    /** Connects and says {@code request}, whose head ends with an empty line; the answer must be 101. */
    protected StreamClient(URI url, String request) throws IOException {
        socket = new Socket(url.getHost(), url.getPort());
        in = new DataInputStream(new BufferedInputStream(socket.getInputStream(), READ_BYTES));
        out = socket.getOutputStream();
        out.write(request.getBytes(StandardCharsets.US_ASCII));
        String status = line();
        String header;
        do {
            // None of them matters here.
            header = line();
        } while (!header.isEmpty());
        if (!status.startsWith("HTTP/1.1 101")) {
            throw new IOException(status);
        }
    }

    private String line() throws IOException {
        var line = new StringBuilder();
        for (int b = in.readByte(); b != '\n'; b = in.readByte()) {
            line.append((char) b);
        }
        return line.toString().strip();
    }

    /** A client of {@code url} that speaks {@code protocol}, {@code spdy} or {@code websocket}. */
    public static StreamClient connect(String protocol, String url, boolean stdin) throws IOException {
        URI uri = URI.create(url);
        boolean forward = uri.getPath().toLowerCase(Locale.ROOT).contains("portforward");
        return protocol.equals("spdy")
                ? SpdyClient.connect(uri, forward, stdin)
                : WebSocketClient.connect(uri, forward);
    }

    /** Sends, and waits while the server does not read. */
    public abstract void write(int channel, byte[] bytes, int length) throws IOException;

    /** Ends this client's half of a channel. */
    public abstract void end(int channel) throws IOException;

    /** Waits for what comes next; null at the end of the connection. */
    public abstract @Nullable Data read() throws IOException;

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
