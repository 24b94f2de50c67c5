package io.berth.runtime.streaming;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.berth.runtime.config.BerthConfig;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class StreamingServerTest {
    private final HttpClient http = HttpClient.newHttpClient();
    private final FakeBackend backend = new FakeBackend();
    private StreamingServer server;

    @BeforeEach
    void start() throws IOException {
        server = StreamingServer.start(new BerthConfig.Streaming("127.0.0.1", 0, Optional.empty(), Optional
                .empty(), Duration.ofHours(1)), backend);
    }

    @AfterEach
    void stop() {
        server.close();
        http.close();
    }

    @Test
    void webSocketV5EchoesStdinUntilItsHalfCloseAndTellsTheExitCode() throws Exception {
        backend.exitCode = 7;
        var client = connect(url(exec(false)), "v5.channel.k8s.io");
        client.send(0, "hello\n");
        client.socket().sendBinary(ByteBuffer.wrap(new byte[]{(byte) 255, 0}), true).join();
        client.awaitClose();
        assertThat(client.channel(1)).isEqualTo("hello\n");
        assertThat(client.channel(2)).isEqualTo("ended");
        assertThat(client.channel(3)).contains("NonZeroExitCode").contains("\"message\":\"7\"");
    }

    @Test
    void webSocketV4TellsSuccess() throws Exception {
        backend.exitAtOnce = true;
        var client = connect(url(exec(false)), "v4.channel.k8s.io");
        client.awaitClose();
        assertThat(client.channel(3)).isEqualTo("{\"metadata\":{},\"status\":\"Success\"}");
    }

    @Test
    void resizesReachTheSession() throws Exception {
        var client = connect(url(exec(true)), "v5.channel.k8s.io");
        client.send(4, "{\"Width\":120,\"Height\":40}\n");
        assertThat(backend.resizes.poll(10, TimeUnit.SECONDS)).isEqualTo("120x40");
        client.send(4, "no json");
        client.send(4, "{\"Width\":80,\"Height\":24}\n");
        assertThat(backend.resizes.poll(10, TimeUnit.SECONDS)).isEqualTo("80x24");
        client.socket().abort();
    }

    @Test
    void inputFindsTheTerminalOfTheSizeThatWasSaidBefore() throws Exception {
        backend.resizeTime = Duration.ofMillis(300);
        var client = connect(url(exec(true)), "v5.channel.k8s.io");
        client.send(4, "{\"Width\":120,\"Height\":40}\n");
        client.send(0, "x");
        assertThat(backend.resizesBeforeInput.poll(10, TimeUnit.SECONDS)).isEqualTo(1);
        client.socket().abort();
    }

    @Test
    void aClientThatGoesEndsItsSession() throws Exception {
        var client = connect(url(exec(false)), "v5.channel.k8s.io");
        client.send(0, "x");
        client.socket().abort();
        assertThat(backend.closed.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void aFailedExecIsToldOnTheErrorChannel() throws Exception {
        backend.failure = "container is not running";
        var client = connect(url(exec(false)), "v5.channel.k8s.io");
        client.awaitClose();
        assertThat(client.channel(3)).contains("InternalError").contains("container is not running");
    }

    @Test
    void aUrlWorksOnce() throws Exception {
        URI url = url(exec(false));
        var client = connect(url, "v5.channel.k8s.io");
        assertThat(refusal(url, "v5.channel.k8s.io")).isEqualTo(404);
        client.socket().abort();
    }

    @Test
    void aTokenOfOneVerbOpensNoOther() {
        URI url = url(exec(false));
        URI other = URI.create(url.toString().replace("/exec/", "/attach/"));
        assertThat(refusal(other, "v5.channel.k8s.io")).isEqualTo(404);
    }

    @Test
    void anUnknownProtocolIsRefused() {
        assertThat(refusal(url(exec(false)), "v9.channel.k8s.io")).isEqualTo(403);
    }

    @Test
    void aPlainRequestLeavesTheTokenGood() throws Exception {
        URI url = url(exec(false));
        HttpResponse<String> plain = http.send(HttpRequest.newBuilder(url).build(), HttpResponse.BodyHandlers
                .ofString());
        assertThat(plain.statusCode()).isEqualTo(400);
        backend.exitAtOnce = true;
        connect(url, "v5.channel.k8s.io").awaitClose();
    }

    @Test
    void portForwardOverWebSocketChannelsJoinsThePodsPort() throws Exception {
        try (var pod = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(),
                0))) {
            int port = ((InetSocketAddress) pod.getLocalAddress()).getPort();
            var client = connect(url(new StreamRequest.PortForward("pod", List.of(port))),
                    "v4.channel.k8s.io");
            try (SocketChannel accepted = pod.accept()) {
                client.send(0, "ping");
                ByteBuffer got = ByteBuffer.allocate(4);
                while (got.hasRemaining()) {
                    accepted.read(got);
                }
                accepted.write(got.flip());
            }
            client.awaitClose();
            byte[] data = client.bytes(0);
            assertThat(data).hasSize(2 + 4);
            assertThat(Byte.toUnsignedInt(data[0]) + (Byte.toUnsignedInt(data[1]) << 8)).isEqualTo(port);
            assertThat(new String(data, 2, 4, StandardCharsets.UTF_8)).isEqualTo("ping");
        }
    }

    private static StreamRequest.Exec exec(boolean tty) {
        return new StreamRequest.Exec("c", List.of("cat"), tty, true, true, !tty);
    }

    private URI url(StreamRequest request) {
        return URI.create(server.url(request).orElseThrow());
    }

    private static URI webSocketUri(URI url) {
        return URI.create(url.toString().replaceFirst("^http", "ws"));
    }

    private Client connect(URI url, String protocol) {
        var client = new Client();
        client.socket = http.newWebSocketBuilder().subprotocols(protocol)
                .buildAsync(webSocketUri(url), client)
                .join();
        return client;
    }

    private int refusal(URI url, String protocol) {
        try {
            connect(url, protocol);
        } catch (CompletionException e) {
            if (e.getCause() instanceof WebSocketHandshakeException refused) {
                return refused.getResponse().statusCode();
            }
            throw e;
        }
        throw new AssertionError("accepted: " + url);
    }

    /** Collects messages by channel. */
    private static final class Client implements WebSocket.Listener {
        private final ByteArrayOutputStream[] channels = new ByteArrayOutputStream[5];
        private final CountDownLatch closed = new CountDownLatch(1);
        private int current = -1;
        private @Nullable WebSocket socket;

        Client() {
            for (int i = 0; i < channels.length; i++) {
                channels[i] = new ByteArrayOutputStream();
            }
        }

        WebSocket socket() {
            return requireNonNull(socket);
        }

        void send(int channel, String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            socket().sendBinary(ByteBuffer.allocate(1 + bytes.length).put((byte) channel).put(bytes).flip(),
                    true)
                    .join();
        }

        String channel(int number) {
            return new String(bytes(number), StandardCharsets.UTF_8);
        }

        byte[] bytes(int number) {
            synchronized (channels) {
                return channels[number].toByteArray();
            }
        }

        void awaitClose() throws InterruptedException {
            assertThat(closed.await(20, TimeUnit.SECONDS)).isTrue();
        }

        @Override
        public @Nullable CompletionStage<?> onBinary(WebSocket webSocket, ByteBuffer data,
                boolean last) {
            synchronized (channels) {
                if (current < 0) {
                    current = data.get();
                }
                byte[] bytes = new byte[data.remaining()];
                data.get(bytes);
                channels[current].writeBytes(bytes);
                if (last) {
                    current = -1;
                }
            }
            webSocket.request(1);
            return null;
        }

        @Override
        public @Nullable CompletionStage<?> onClose(WebSocket webSocket, int code, String reason) {
            closed.countDown();
            return null;
        }
    }
}
