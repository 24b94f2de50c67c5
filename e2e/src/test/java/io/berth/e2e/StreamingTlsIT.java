package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ExecRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Footprint;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.TlsIdentity;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Random;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** The streaming server with TLS, and clients that misuse that. */
@Testcontainers
final class StreamingTlsIT {
    private static final Duration PATIENCE = Duration.ofSeconds(40);
    private static final Path DIRECTORY = Node.workspace().resolve("streaming-tls");
    private static final TlsIdentity IDENTITY = new TlsIdentity(DIRECTORY);

    @Container
    static final Node NODE = new Node("streaming.tls_certificate = \"" + IDENTITY.certificate() + "\"",
            "streaming.tls_key = \"" + IDENTITY.key() + "\"");

    private static PodHandle pod;
    private static ContainerHandle container;

    @BeforeAll
    static void runAPod() {
        pod = NODE.pod("tls", "runc");
        container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
    }

    @AfterAll
    static void removeIt() {
        pod.close();
    }

    @Test
    void aClientThatSpeaksTlsIsServedByAnUrlThatSaysSo() throws IOException {
        assertThat(url().toString()).startsWith("https://127.0.0.1:");
        assertServed();
    }

    @Test
    void aClientThatSpeaksPlainHttpIsToldNothing() throws IOException {
        assertThat(answer(request(url()))).doesNotContain("HTTP/1.1 1", "HTTP/1.1 2", "HTTP/1.1 4");
        assertServed();
    }

    @Test
    void handshakesThatAreGarbageOrNeverDoneAreCutOffAndHoldUpNobody() throws Exception {
        int before = Footprint.descriptors(NODE.server().pid());
        var random = new Random(5);
        var open = new ArrayList<Socket>();
        URI url = url();
        for (int i = 0; i < 300; i++) {
            var socket = new Socket(url.getHost(), url.getPort());
            byte[] bytes = new byte[i % 3 == 0 ? 0 : 100];
            random.nextBytes(bytes);
            if (i % 3 == 1) {
                // A record of a handshake that is longer than what comes.
                byte[] head = {0x16, 3, 1, 0x20, 0};
                System.arraycopy(head, 0, bytes, 0, head.length);
            }
            socket.getOutputStream().write(bytes);
            open.add(socket);
        }
        assertServed();
        Await.until("they are cut off", PATIENCE, () -> Footprint.descriptors(NODE.server().pid()),
                now -> now <= before + 2);
        for (Socket socket : open) {
            socket.close();
        }
        assertServed();
    }

    @Test
    void protocolsThatAreBrokenAreNotSpoken() throws IOException {
        URI url = url();
        try (SSLSocket socket = (SSLSocket) IDENTITY.trust().getSocketFactory().createSocket(url.getHost(),
                url.getPort())) {
            // The JDK lets a client ask for it only where its own security properties do.
            String[] old = {"TLSv1", "TLSv1.1"};
            socket.setEnabledProtocols(old);
            assertThatThrownBy(socket::startHandshake).isInstanceOf(SSLException.class);
        }
        assertServed();
    }

    private static void assertServed() throws IOException {
        URI url = url();
        try (Socket socket = IDENTITY.trust().getSocketFactory().createSocket(url.getHost(), url.getPort())) {
            socket.getOutputStream().write(request(url));
            byte[] head = socket.getInputStream().readNBytes("HTTP/1.1 101".length());
            assertThat(new String(head, StandardCharsets.US_ASCII)).isEqualTo("HTTP/1.1 101");
        }
    }

    private static String answer(byte[] request) throws IOException {
        URI url = url();
        try (var socket = new Socket(url.getHost(), url.getPort())) {
            socket.getOutputStream().write(request);
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
        } catch (SocketException e) {
            return String.valueOf(e.getMessage());
        }
    }

    private static byte[] request(URI url) {
        return ("GET " + url.getRawPath() + " HTTP/1.1\r\nHost: " + url.getAuthority()
                + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII);
    }

    private static URI url() {
        return URI.create(NODE.cri().runtime().exec(ExecRequest.newBuilder().setContainerId(container.id())
                .addCmd("true").setStdout(true).build()).getUrl());
    }
}
