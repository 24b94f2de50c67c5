package io.berth.e2e.cri;

import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What kubectl makes of a URL of Exec, Attach or PortForward over WebSocket: messages whose first byte is a channel (0 stdin, 1
 * stdout, 2 stderr, 3 the outcome, 4 the terminal's size; or two for each forwarded port).
 */
public final class Channels implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final long PATIENCE_SECONDS = PATIENCE.toSeconds() * Await.SLOWNESS;
    /** Of v5: the channel that ends the one it names. */
    private static final int CLOSE = 255;

    private final HttpClient http;
    private final WebSocket socket;
    private final Received received;

    private Channels(HttpClient http, WebSocket socket, Received received) {
        this.http = http;
        this.socket = socket;
        this.received = received;
    }

    /** Connects and agrees on {@code protocol}, such as {@code v5.channel.k8s.io}. */
    public static Channels connect(String url, String protocol) {
        var received = new Received();
        HttpClient http = HttpClient.newHttpClient();
        WebSocket socket = http.newWebSocketBuilder().subprotocols(protocol)
                .buildAsync(URI.create(url.replaceFirst("^http", "ws")), received)
                .orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
        return new Channels(http, socket, received);
    }

    /** The protocol that the server chose. */
    public String protocol() {
        return socket.getSubprotocol();
    }

    public void send(int channel, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        send(ByteBuffer.allocate(1 + bytes.length).put((byte) channel).put(bytes).flip());
    }

    /** Ends this client's half of a channel (v5). */
    public void end(int channel) {
        send(ByteBuffer.wrap(new byte[]{(byte) CLOSE, (byte) channel}));
    }

    private void send(ByteBuffer message) {
        socket.sendBinary(message, true).orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
    }

    /** Waits until {@code channel} has said {@code part}; gives all that it has said. */
    public String await(int channel, String part) {
        return Await.until("channel " + channel + " says \"" + part + "\"", PATIENCE, () -> text(channel),
                text -> text.contains(part));
    }

    /** Waits for the server's end of the connection; gives all that {@code channel} has said. */
    public String awaitEnd(int channel) {
        received.end.orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
        return text(channel);
    }

    public String text(int channel) {
        ByteArrayOutputStream bytes = received.channels.get(channel);
        return bytes == null ? "" : bytes.toString(StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        socket.abort();
        http.shutdownNow();
    }

    private static final class Received implements WebSocket.Listener {
        private final Map<Integer, ByteArrayOutputStream> channels = new ConcurrentHashMap<>();
        private final CompletableFuture<Integer> end = new CompletableFuture<>();
        private final List<Byte> message = new ArrayList<>();

        @Override
        public @Nullable CompletionStage<?> onBinary(WebSocket from, ByteBuffer data, boolean last) {
            while (data.hasRemaining()) {
                message.add(data.get());
            }
            if (last && !message.isEmpty()) {
                ByteArrayOutputStream channel = channels.computeIfAbsent(message.getFirst() & 0xff,
                        _ -> new ByteArrayOutputStream());
                message.subList(1, message.size()).forEach(channel::write);
                message.clear();
            }
            from.request(1);
            return null;
        }

        @Override
        public @Nullable CompletionStage<?> onClose(WebSocket from, int status, String reason) {
            end.complete(status);
            return null;
        }

        @Override
        public void onError(WebSocket from, Throwable error) {
            end.completeExceptionally(error);
        }
    }
}
