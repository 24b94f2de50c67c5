package io.berth.runtime.streaming;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.runtime.config.BerthConfig;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SpdyStreamingTest {
    private static final List<String> COMMAND = List.of("v4.channel.k8s.io", "v3.channel.k8s.io",
            "v2.channel.k8s.io", "channel.k8s.io");

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
    }

    @Test
    void execEchoesUntilStdinsEndAndTellsTheExitCode() throws Exception {
        backend.exitCode = 3;
        try (SpdyClient client = SpdyClient.connect(url(exec()), COMMAND)) {
            int error = client.stream("streamtype", "error");
            int stdin = client.stream("streamtype", "stdin");
            int stdout = client.stream("streamtype", "stdout");
            int stderr = client.stream("streamtype", "stderr");
            client.send(stdin, bytes("hello"), true);
            client.awaitEndOf(error, stdout, stderr);
            assertThat(client.text(stdout)).isEqualTo("hello");
            assertThat(client.text(stderr)).isEqualTo("ended");
            assertThat(client.text(error)).contains("NonZeroExitCode").contains("\"message\":\"3\"");
            assertThat(client.goneAway.await(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void muchDataPassesBothWaysWithoutWindows() throws Exception {
        byte[] chunk = new byte[32 << 10];
        int chunks = 256;
        try (SpdyClient client = SpdyClient.connect(url(exec()), COMMAND)) {
            int error = client.stream("streamtype", "error");
            int stdin = client.stream("streamtype", "stdin");
            int stdout = client.stream("streamtype", "stdout");
            int stderr = client.stream("streamtype", "stderr");
            for (int i = 0; i < chunks; i++) {
                client.send(stdin, chunk, i == chunks - 1);
            }
            client.awaitEndOf(error, stdout, stderr);
            assertThat(client.bytes(stdout)).hasSize(chunks * chunk.length);
        }
    }

    @Test
    void protocolsBeforeV4TellTheExitCodeInWords() throws Exception {
        backend.exitCode = 3;
        backend.exitAtOnce = true;
        try (SpdyClient client = SpdyClient.connect(url(exec()), List.of("v2.channel.k8s.io"))) {
            int error = client.stream("streamtype", "error");
            client.stream("streamtype", "stdin");
            client.stream("streamtype", "stdout");
            client.stream("streamtype", "stderr");
            assertThat(client.goneAway.await(10, TimeUnit.SECONDS)).isTrue();
            assertThat(client.text(error)).isEqualTo("command terminated with exit code 3");
        }
    }

    @Test
    void portForwardJoinsThePodsPort() throws Exception {
        try (var pod = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(),
                0)); SpdyClient client = SpdyClient.connect(forward(), List.of("portforward.k8s.io"))) {
            String port = Integer.toString(((InetSocketAddress) pod.getLocalAddress()).getPort());
            int error = client.stream("streamtype", "error", "port", port, "requestid", "0");
            int data = client.stream("streamtype", "data", "port", port, "requestid", "0");
            try (SocketChannel accepted = pod.accept()) {
                client.send(data, bytes("ping"), true);
                ByteBuffer got = ByteBuffer.allocate(4);
                while (got.hasRemaining()) {
                    accepted.read(got);
                }
                accepted.write(got.flip());
            }
            client.awaitEndOf(error, data);
            assertThat(client.text(data)).isEqualTo("ping");
            assertThat(client.text(error)).isEmpty();
        }
    }

    @Test
    void aPortThatNobodyListensOnIsToldOnTheErrorStream() throws Exception {
        try (SpdyClient client = SpdyClient.connect(forward(), List.of("portforward.k8s.io"))) {
            int error = client.stream("streamtype", "error", "port", "1", "requestid", "0");
            client.stream("streamtype", "data", "port", "1", "requestid", "0");
            client.awaitEndOf(error);
            assertThat(client.text(error)).contains("port 1 of pod sandbox pod").contains("refused");
        }
    }

    private URI forward() {
        return url(new StreamRequest.PortForward("pod", List.of()));
    }

    private static StreamRequest.Exec exec() {
        return new StreamRequest.Exec("c", List.of("cat"), false, true, true, true);
    }

    private URI url(StreamRequest request) {
        return URI.create(server.url(request).orElseThrow());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
