package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.AttachRequest;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ExecRequest;
import io.berth.cri.v1.PortForwardRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Footprint;
import io.berth.e2e.node.Node;
import io.berth.e2e.streaming.StreamClient;
import io.berth.e2e.streaming.StreamClient.Data;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Much data through exec, attach and port-forward, and clients that do not take theirs. */
@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"spdy", "websocket"})
final class StreamingVolumeIT {
    /** Both ways; the property makes it a GiB. */
    private static final int MEBIBYTES = Integer.getInteger("e2e.stream.mebibytes", 128);
    private static final int BLOCK_BYTES = 64 << 10;
    private static final int MEBIBYTE = 1 << 20;
    /** Buffers of a connection and what else is made on the way; far from what goes through. */
    private static final long HEAP_GROWTH_KIB = 8 << 10;
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    @Container
    static final Node NODE = new Node();

    private final String protocol;

    StreamingVolumeIT(String protocol) {
        this.protocol = protocol;
    }

    /** What went through, and what the daemon's heap held meanwhile, after a collection each. */
    private record Passed(long bytes, long checksum, long sentChecksum, List<Long> heapsKib) {}

    @Test
    void execTakesAndGivesAnyAmountWithoutHoldingIt() throws Exception {
        try (PodHandle pod = NODE.pod("execvolume", "runc")) {
            ContainerHandle container = pod.start(idle());
            assertNothingIsHeld(() -> StreamClient.connect(protocol, execUrl(container, true, "cat"), true),
                    StreamClient.STDIN, StreamClient.STDOUT);
        }
    }

    @Test
    void attachTakesAndGivesAnyAmountWithoutHoldingIt() throws Exception {
        try (PodHandle pod = NODE.pod("attachvolume", "runc")) {
            ContainerHandle container = pod
                    .start(Configs.container("cat", NODE.busybox(), "cat").setStdin(true)
                            .setStdinOnce(true).setLogPath(""));
            assertNothingIsHeld(() -> StreamClient.connect(protocol,
                    NODE.cri().runtime().attach(AttachRequest.newBuilder().setContainerId(container.id())
                            .setStdin(true).setStdout(true).build()).getUrl(),
                    true), StreamClient.STDIN, StreamClient.STDOUT);
            assertThat(container.awaitExit().getExitCode()).isZero();
        }
    }

    @Test
    void portForwardTakesAndGivesAnyAmountWithoutHoldingIt() throws Exception {
        try (PodHandle pod = NODE.pod("portvolume", "runc")) {
            ContainerHandle container = pod.start(Configs.container("echo", NODE.busybox(), "nc", "-ll", "-p",
                    "8080", "-e", "cat"));
            Await.until("the port is open", PATIENCE,
                    () -> container.sh("grep -c ':1F90 ' /proc/net/tcp /proc/net/tcp6 | tail -n 1; true"),
                    text -> text.endsWith(":1"));
            assertNothingIsHeld(() -> StreamClient.connect(protocol,
                    NODE.cri().runtime().portForward(PortForwardRequest.newBuilder().setPodSandboxId(pod.id())
                            .addPort(8080).build()).getUrl(),
                    true), StreamClient.PORT_DATA, StreamClient.PORT_DATA);
        }
    }

    @Test
    void aClientThatDoesNotReadHoldsUpItsOwnCommandAlone() throws Exception {
        try (PodHandle pod = NODE.pod("slowexec", "runc")) {
            ContainerHandle container = pod.start(idle());
            long heapKib = heapKib();
            var clients = new ArrayList<StreamClient>();
            for (int i = 0; i < 10; i++) {
                clients.add(StreamClient.connect(protocol, execUrl(container, false, "yes"), false));
            }
            for (int i = 0; i < 20; i++) {
                assertThat(container.exec(5, "echo", "quick").getStdout().toStringUtf8())
                        .isEqualTo("quick\n");
            }
            assertThat(heapKib()).isLessThan(heapKib + HEAP_GROWTH_KIB);
            for (StreamClient client : clients) {
                Data first = client.read();
                assertThat(first).isNotNull();
                client.close();
            }
            Await.until("their commands are ended", PATIENCE,
                    () -> container.sh("ps | grep -c '[y]es'; true"),
                    "0"::equals);
        }
    }

    @Test
    void anAttachedClientThatDoesNotReadHoldsUpNeitherTheContainerNorItsLog() throws Exception {
        try (PodHandle pod = NODE.pod("slowattach", "runc")) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "sleep 2; seq 2000000; echo done; sleep 1000"));
            try (StreamClient deaf = attach(container); StreamClient reader = attach(container)) {
                var read = CompletableFuture.supplyAsync(() -> readUntilDone(reader));
                Await.until("all is logged", PATIENCE, () -> endOf(container),
                        end -> end.endsWith("F done\n"));
                assertThat(read.get(30, TimeUnit.SECONDS)).isTrue();
                assertThat(container.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
                assertThat(container.sh("echo quick")).isEqualTo("quick");
                assertThat(deaf).isNotNull();
            }
        }
    }

    private interface Connect {
        StreamClient connect() throws IOException;
    }

    private void assertNothingIsHeld(Connect connect, int to, int from) throws Exception {
        long before = heapKib();
        try (StreamClient client = connect.connect()) {
            Passed passed = pass(client, to, from);
            assertThat(passed.bytes()).as(() -> NODE.server().logTail())
                    .isEqualTo((long) MEBIBYTES * MEBIBYTE);
            assertThat(passed.checksum()).isEqualTo(passed.sentChecksum());
            assertThat(passed.heapsKib()).isNotEmpty()
                    .allSatisfy(heapKib -> assertThat(heapKib).isLessThan(before + HEAP_GROWTH_KIB));
        }
    }

    /** Sends and reads all of it at the same time; looks at the heap at each quarter. */
    private static Passed pass(StreamClient client, int to, int from) throws Exception {
        byte[] block = new byte[BLOCK_BYTES];
        new Random(7).nextBytes(block);
        long blocks = (long) MEBIBYTES * MEBIBYTE / BLOCK_BYTES;
        var sent = new CRC32();
        var writer = CompletableFuture.runAsync(() -> {
            try {
                for (long i = 0; i < blocks; i++) {
                    block[0] = (byte) i;
                    sent.update(block);
                    client.write(to, block, block.length);
                }
                if (to != from) {
                    client.end(to);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        var received = new CRC32();
        var heapsKib = new ArrayList<Long>();
        long bytes = 0;
        long total = blocks * BLOCK_BYTES;
        long look = total / 4;
        while (bytes < total) {
            Data data = client.read();
            if (data == null) {
                break;
            }
            assertThat(data.channel()).as(() -> data.text()).isEqualTo(from);
            received.update(data.bytes());
            bytes += data.bytes().length;
            if (bytes >= look) {
                heapsKib.add(heapKib());
                look += total / 4;
            }
        }
        writer.get();
        return new Passed(bytes, received.getValue(), sent.getValue(), heapsKib);
    }

    private String execUrl(ContainerHandle container, boolean stdin, String... command) {
        return NODE.cri().runtime().exec(ExecRequest.newBuilder().setContainerId(container.id())
                .addAllCmd(List.of(command)).setStdin(stdin).setStdout(true).build()).getUrl();
    }

    private StreamClient attach(ContainerHandle container) throws IOException {
        return StreamClient.connect(protocol, NODE.cri().runtime().attach(AttachRequest.newBuilder()
                .setContainerId(container.id()).setStdout(true).build()).getUrl(), false);
    }

    private static boolean readUntilDone(StreamClient client) {
        try {
            String tail = "";
            for (Data data = client.read(); data != null; data = client.read()) {
                tail = (tail + data.text());
                tail = tail.substring(Math.max(0, tail.length() - 10));
                if (tail.endsWith("done\n")) {
                    return true;
                }
            }
            return false;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String endOf(ContainerHandle container) {
        try (var file = new RandomAccessFile(container.logFile().toFile(), "r")) {
            byte[] tail = new byte[(int) Math.min(file.length(), 20)];
            file.seek(file.length() - tail.length);
            file.readFully(tail);
            return new String(tail, StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }

    private static long heapKib() {
        return Footprint.of(NODE.server().pid()).heapKib();
    }

    private static ContainerConfig.Builder idle() {
        return Configs.container("main", NODE.busybox(), "sleep", "1000");
    }
}
