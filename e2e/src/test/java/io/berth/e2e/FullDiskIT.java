package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RemoveImageRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.SmallDisk;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Disks without a free byte below the daemon's directories and the logs: what goes on, what is said, what comes back. */
@Testcontainers
final class FullDiskIT {
    private static final int DISK_MEBIBYTES = 24;
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @Container
    static final Node NODE = new Node();

    /** A daemon of a test's own. */
    private static final class Own implements AutoCloseable {
        private final BerthDaemon daemon;
        private final Path logs;
        private final Cri cri;

        Own(String name, Path root, Path logs) {
            this.logs = logs;
            daemon = new BerthDaemon(BerthDaemon.Options
                    .in(NODE.directory().resolve(name), NODE.network(), NODE.registriesConf())
                    .withRoot(root));
            daemon.start();
            cri = Cri.connect(daemon.socket());
            pull(NODE.busybox());
        }

        void pull(String image) {
            cri.images().pullImage(PullImageRequest.newBuilder()
                    .setImage(ImageSpec.newBuilder().setImage(image)).build());
        }

        PodHandle pod(String name) {
            return PodHandle.run(cri, Configs.pod(name, logs), "runc");
        }

        void restart() {
            daemon.kill();
            daemon.start();
        }

        @Override
        public void close() {
            assertThat(cri.runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                    .getItemsList()).isEmpty();
            cri.close();
            daemon.stop();
        }
    }

    @Test
    void aFullRootKeepsWhatRunsAndRefusesWhatIsNewAndLetsSpaceBeFreed() {
        String large = NODE.registry().push("e2e/large", "1", large());
        Path root = NODE.directory().resolve("full-root");
        try (SmallDisk disk = SmallDisk.mount(root, DISK_MEBIBYTES);
                Own own = new Own("r", root, NODE.logs())) {
            PodHandle pod = own.pod("filler");
            ContainerHandle container = pod.start(ticking());
            // A container does it, by its writable layer.
            assertThat(container.exec(0, "dd", "if=/dev/zero", "of=/ballast", "bs=4k").getStderr()
                    .toStringUtf8())
                    .contains("No space left on device");
            disk.fill();

            assertThat(container.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
            assertThat(container.sh("echo alive")).isEqualTo("alive");
            int ticks = container.log().size();
            container.awaitLog(ticks + 5);
            assertThatThrownBy(() -> own.pull(large)).hasMessageStartingWith("RESOURCE_EXHAUSTED")
                    .hasMessageContaining("file system of the image store is full");
            // A sandbox has no files there, and its record has room in the reserve.
            PodHandle second = own.pod("new");
            assertThatThrownBy(() -> second.start(ticking())).hasMessageStartingWith("RESOURCE_EXHAUSTED")
                    .hasMessageContaining(root.toString());
            second.close();
            assertThatThrownBy(() -> pod.create(Configs.container("new", NODE.busybox(), "true")))
                    .hasMessageStartingWith("RESOURCE_EXHAUSTED").hasMessageContaining(root.toString());

            container.stop(0);
            assertThat(container.status().getExitCode()).isEqualTo(137);
            container.remove();
            pod.close();
            assertThat(own.cri.runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                    .getItemsList()).as("no pod is left of those that were refused").isEmpty();
            own.cri.images().removeImage(RemoveImageRequest.newBuilder()
                    .setImage(ImageSpec.newBuilder().setImage(NODE.busybox())).build());

            disk.free();
            own.pull(large);
            own.pull(NODE.busybox());
            try (PodHandle after = own.pod("after")) {
                assertThat(after.start(Configs.container("main", NODE.busybox(), "echo", "space")).output())
                        .isEqualTo("space");
            }
        }
    }

    @Test
    void aFullStateDirectoryKeepsWhatRunsAndTheExitCode() {
        Path directory = NODE.directory().resolve("s");
        try (SmallDisk disk = SmallDisk.mount(directory.resolve("state"), DISK_MEBIBYTES);
                Own own = new Own("s", directory.resolve("root"), NODE.logs());
                PodHandle pod = own.pod("stateful")) {
            ContainerHandle ticking = pod.start(ticking());
            ContainerHandle ending = pod.start(Configs.container("ending", NODE.busybox(), "sh", "-c",
                    "trap 'exit 9' TERM; echo ready; while true; do usleep 20000; done"));
            ending.awaitLog(1);
            disk.fill();

            assertThatThrownBy(() -> ticking.sh("true")).hasMessageStartingWith("RESOURCE_EXHAUSTED")
                    .hasMessageContaining(disk.directory().toString());
            assertThatThrownBy(() -> own.pod("new")).hasMessageStartingWith("RESOURCE_EXHAUSTED")
                    .hasMessageContaining(disk.directory().toString());
            ticking.awaitLog(ticking.log().size() + 5);
            ending.stop(10);
            assertThat(ending.status().getExitCode()).isEqualTo(9);
            own.restart();
            assertThat(own.cri.runtime().listContainers(ListContainersRequest.getDefaultInstance())
                    .getContainersList()).extracting(io.berth.cri.v1.Container::getState)
                    .containsExactlyInAnyOrder(ContainerState.CONTAINER_RUNNING,
                            ContainerState.CONTAINER_EXITED);

            disk.free();
            try (PodHandle after = own.pod("after")) {
                assertThat(after.start(Configs.container("main", NODE.busybox(), "echo", "space")).output())
                        .isEqualTo("space");
            }
        }
    }

    @Test
    void aFullLogDiskCostsLinesWhichTheLogCountsWhenThereIsSpaceAgain() {
        Path logs = NODE.directory().resolve("full-logs");
        try (SmallDisk disk = SmallDisk.mount(logs, DISK_MEBIBYTES);
                PodHandle pod = PodHandle.run(NODE.cri(), Configs.pod("logger", logs), "runc")) {
            ContainerHandle container = pod.start(ticking());
            container.awaitLog(5);
            disk.fill();
            awaitNoRoom(disk, container.logFile());
            assertThat(container.sh("echo alive")).isEqualTo("alive");
            disk.free();

            List<LogLine> log = Await.until("a line about the lost lines", PATIENCE, container::log,
                    lines -> lines.stream().anyMatch(line -> line.text().contains("lost")));
            int notice = log.indexOf(log.stream().filter(line -> line.text().contains("lost")).findFirst()
                    .orElseThrow());
            int last = Integer.parseInt(log.get(notice - 1).text());
            List<LogLine> after = Await.until("a line after it", PATIENCE, container::log,
                    lines -> lines.size() > notice + 1);
            int next = Integer.parseInt(after.get(notice + 1).text());
            assertThat(after.get(notice).stream()).isEqualTo("stderr");
            assertThat(after.get(notice).text()).isEqualTo("berth: " + (next - last - 1)
                    + " lines of this log are lost: No space left on device");
            assertThat(container.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        }
    }

    @Test
    void aLogDiskThatStaysFullIsToldByTheDaemonAtTheContainersEnd() {
        Path logs = NODE.directory().resolve("full-logs-2");
        try (SmallDisk disk = SmallDisk.mount(logs, 1);
                PodHandle pod = PodHandle.run(NODE.cri(), Configs.pod("loser", disk.directory()), "runc")) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "yes | head -c 4000000; exit 3"));
            ContainerStatus status = container.awaitExit();

            assertThat(status.getExitCode()).isEqualTo(3);
            Await.until("the daemon's log tells of it", PATIENCE, NODE.server()::logTail,
                    log -> log.contains("lines of a container's log are lost")
                            && log.contains(container.id()));
        }
    }

    /** Numbers its lines. */
    private static ContainerConfig.Builder ticking() {
        return Configs.counting("ticking", NODE.busybox());
    }

    /** What is free in the log's last block is used up, then no line fits any more. */
    private static void awaitNoRoom(SmallDisk disk, Path log) {
        Await.until("no line fits into " + log, PATIENCE, () -> {
            disk.fill();
            long before = size(log);
            LockSupport.parkNanos(Duration.ofMillis(200).toNanos());
            return size(log) == before;
        }, full -> full);
    }

    private static long size(Path file) {
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static TestImage large() {
        byte[] noise = new byte[8 << 20];
        new Random(1).nextBytes(noise);
        Layer layer = Layer.builder().file("noise", 0644, noise).build(Compression.GZIP);
        return TestImage.builder().layer(Busybox.layer()).layer(layer).build();
    }
}
