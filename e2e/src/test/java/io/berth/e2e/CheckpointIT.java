package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.berth.cri.v1.CheckpointContainerRequest;
import io.berth.cri.v1.CheckpointContainerResponse;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.Mount;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.Node;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Checkpoints of single containers, with runc; Debian's crun is built without criu. */
@Testcontainers
final class CheckpointIT {
    /** Counts in memory, ten times a second. */
    private static final String COUNT = "i=100; while true; do i=$((i+1)); echo $i; sleep 0.1; done";
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    @Container
    static final Node NODE = new Node();

    private static int serial;

    @Test
    void aCheckpointedContainerRunsOnAndItsArchiveIsRoots() throws Exception {
        try (PodHandle pod = NODE.pod("running", "runc")) {
            ContainerHandle container = pod.start(counter());
            container.awaitLog(3);
            Path archive = newArchive();

            checkpoint(container, archive);

            List<LogLine> log = container.awaitLog(container.log().size() + 3);
            assertThat(lastNumber(log)).as("its last number is that of its line").isEqualTo(100 + log.size());
            assertThat(container.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(archive)))
                    .isEqualTo("rw-------");
            assertThat(archive.getParent()).isDirectoryNotContaining("glob:**.partial*");
        }
    }

    @Test
    void theArchiveHasWhatOtherToolsReadFromIt() throws Exception {
        try (PodHandle pod = NODE.pod("layout", "runc")) {
            ContainerHandle container = pod.start(counter());
            container.sh("echo new > /root/new; rm /etc/passwd");
            Path archive = newArchive();
            checkpoint(container, archive);

            Map<String, byte[]> files = read(archive);

            assertThat(files).containsKeys("config.dump", "spec.dump", "status", "status.dump", "bind.mounts",
                    "dump.log", "stats-dump", "container.log", "rootfs-diff.tar", "deleted.files",
                    "checkpoint/inventory.img", "checkpoint/pstree.img", "checkpoint/descriptors.json");
            JsonNode config = json(files, "config.dump");
            assertThat(config.path("id").asText()).isEqualTo(container.id());
            assertThat(config.path("name").asText()).isEqualTo("counter");
            assertThat(config.path("rootfsImage").asText()).isEqualTo(NODE.busybox());
            assertThat(config.path("rootfsImageRef").asText()).contains("@sha256:");
            assertThat(json(files, "spec.dump").path("annotations")
                    .path("io.kubernetes.cri.container-name").asText()).isEqualTo("counter");
            assertThat(json(files, "deleted.files").toString()).isEqualTo("[\"etc/passwd\"]");
        }
    }

    @Test
    void aContainerGoesOnFromAnArchiveInAnotherPod() throws Exception {
        Path archive = newArchive();
        int before;
        try (PodHandle pod = NODE.pod("first", "runc")) {
            ContainerHandle container = pod.start(counter());
            container.sh("echo changed > /root/file; ln /root/file /root/link; ln -s file /root/soft;"
                    + " chown 7:8 /root/file; chmod 4750 /root/file; rm /etc/passwd; mkfifo /root/pipe;"
                    + " rm -r /home; mkdir /home; echo x > /home/x");
            container.awaitLog(3);
            checkpoint(container, archive);
            before = lastNumber(container.log());
        }
        try (PodHandle pod = NODE.pod("second", "runc")) {
            ContainerHandle restored = pod.create(counter().setImage(image(archive)));
            assertThat(restored.status().getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
            assertThat(restored.log()).as("the log until then").isNotEmpty();
            int old = restored.log().size();

            restored.start();

            List<LogLine> log = restored.awaitLog(old + 3);
            assertThat(lastNumber(log.subList(0, old + 1))).as("the first number after the restore")
                    .isEqualTo(100 + old + 1).isLessThanOrEqualTo(before + 1);
            assertThat(restored
                    .sh("cat /root/file /root/link /root/soft /home/x; stat -c '%a %u %g %h' /root/file;"
                            + " test -p /root/pipe && ls /home; test -e /etc/passwd || echo gone"))
                    .isEqualTo("changed\nchanged\nchanged\nx\n4750 7 8 2\nx\ngone");
            ContainerStatus status = restored.status();
            assertThat(status.getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
            assertThat(status.getImageRef()).as("of the image that it was made from").contains("@sha256:");
            assertThat(restored.sh("ip -4 -o addr show dev eth0")).contains(pod.ip());
            assertThat(restored.stats().getMemory().getWorkingSetBytes().getValue()).isPositive();

            restored.stop(1);

            assertThat(restored.awaitExit().getExitCode()).isEqualTo(137);
            assertThat(restored.log()).extracting(LogLine::text).as("nothing is lost between both")
                    .startsWith(IntStream.rangeClosed(101, 100 + old + 3).mapToObj(Integer::toString)
                            .toArray(String[]::new));
        }
    }

    @Test
    void aRestoredContainerTellsItsExitCode() throws Exception {
        Path archive = newArchive();
        ContainerConfig.Builder waiting = Configs.container("waiting", NODE.busybox(), "/bin/sh", "-c",
                "while [ ! -e /go ]; do sleep 0.05; done; echo out; echo err >&2; exit 42");
        try (PodHandle pod = NODE.pod("asks", "runc")) {
            checkpoint(pod.start(waiting.clone()), archive);
        }
        try (PodHandle pod = NODE.pod("ends", "runc")) {
            ContainerHandle restored = pod.start(waiting.clone().setImage(image(archive)));
            restored.sh("touch /go");

            ContainerStatus status = restored.awaitExit();
            assertThat(status.getExitCode()).isEqualTo(42);
            assertThat(status.getReason()).isEqualTo("Error");
            assertThat(restored.log()).extracting(LogLine::stream).containsExactly("stdout", "stderr");
        }
    }

    @Test
    void aContainerWithATerminalIsRestoredWithOne() throws Exception {
        Path archive = newArchive();
        ContainerConfig.Builder terminal = counter().setTty(true);
        try (PodHandle pod = NODE.pod("tty", "runc")) {
            ContainerHandle container = pod.start(terminal.clone());
            container.awaitLog(2);
            checkpoint(container, archive);
        }
        try (PodHandle pod = NODE.pod("tty2", "runc")) {
            ContainerHandle restored = pod.create(terminal.clone().setImage(image(archive)));
            int old = restored.log().size();
            restored.start();

            restored.awaitLog(old + 3);
            assertThat(restored.sh("readlink /proc/1/fd/1")).startsWith("/dev/pts/");
        }
    }

    @Test
    void aContainerGoesOnFromAnImageThatHoldsACheckpoint() throws Exception {
        Path archive = newArchive();
        try (PodHandle pod = NODE.pod("packed", "runc")) {
            ContainerHandle container = pod.start(counter());
            container.awaitLog(3);
            checkpoint(container, archive);
        }
        for (String annotation : List.of("io.kubernetes.cri-o.annotations.checkpoint.name",
                "org.criu.checkpoint.container.name")) {
            Layer.Builder layer = Layer.builder().directory("checkpoint", 0700);
            read(archive).forEach((name, content) -> layer.file(name, 0600, content));
            String reference = NODE.pull("checkpoint-" + annotation.length(), TestImage.builder()
                    .layer(layer.build(Compression.GZIP)).annotation(annotation, "counter").build());
            try (PodHandle pod = NODE.pod("unpacked", "runc")) {
                ContainerHandle restored = pod.create(counter()
                        .setImage(ImageSpec.newBuilder().setImage(reference)));
                int old = restored.log().size();
                restored.start();

                assertThat(lastNumber(restored.awaitLog(old + 3))).isGreaterThan(102);
            }
        }
    }

    @Test
    void mountsOfARestoredContainerComeFromTheNewRequest() throws Exception {
        Path one = Files.createDirectories(NODE.directory().resolve("volume-one"));
        Path two = Files.createDirectories(NODE.directory().resolve("volume-two"));
        Files.writeString(two.resolve("name"), "two");
        Path archive = newArchive();
        try (PodHandle pod = NODE.pod("volume", "runc")) {
            ContainerHandle container = pod.start(counter().addMounts(mount(one)));
            checkpoint(container, archive);
        }
        try (PodHandle pod = NODE.pod("volume2", "runc")) {
            ContainerConfig.Builder request = counter().setImage(image(archive));
            assertThat(failure(() -> pod.create(request.clone())).getDescription())
                    .contains("mounts").contains("/data").contains("which the request lacks");

            assertThat(pod.start(request.clone().addMounts(mount(two))).sh("cat /data/name"))
                    .isEqualTo("two");
        }
    }

    @Test
    void aRestoreThatAsksForAnotherProcessIsRefused() throws Exception {
        Path archive = newArchive();
        try (PodHandle pod = NODE.pod("was", "runc")) {
            checkpoint(pod.start(counter()), archive);
        }
        try (PodHandle pod = NODE.pod("is", "runc")) {
            ContainerConfig.Builder other = counter().setImage(image(archive)).setTty(true);
            other.getLinuxBuilder().getSecurityContextBuilder().setNoNewPrivs(true);

            Status failure = failure(() -> pod.create(other));

            assertThat(failure.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
            assertThat(failure.getDescription()).contains("no_new_privs").contains("tty")
                    .doesNotContain("capabilities").doesNotContain("mounts").doesNotContain("namespace");
        }
    }

    @Test
    void aContainerThatWaitsForItsRestoreSurvivesTheDaemonAndCanBeStopped() throws Exception {
        Path archive = newArchive();
        try (PodHandle pod = NODE.pod("waits", "runc")) {
            ContainerHandle container = pod.start(counter());
            container.awaitLog(2);
            checkpoint(container, archive);
        }
        try (PodHandle pod = NODE.pod("waited", "runc")) {
            ContainerHandle first = pod.create(counter().setImage(image(archive)));
            ContainerHandle second = pod
                    .create(Configs.container("other", NODE.busybox(), "/bin/sh", "-c", COUNT)
                            .setImage(image(archive)));
            NODE.server().kill();
            NODE.server().start();

            assertThat(first.status().getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
            int old = first.log().size();
            first.start();
            first.awaitLog(old + 2);
            second.stop(0);
            assertThat(second.status().getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
            assertThat(second.status().getMessage()).contains("before it was restored");
            NODE.server().kill();
            NODE.server().start();
            int lines = first.log().size();
            first.awaitLog(lines + 2);
            assertThat(first.sh("echo here")).isEqualTo("here");
        }
    }

    @Test
    void aPlaceThatCannotBeWrittenIsRefused() throws Exception {
        try (PodHandle pod = NODE.pod("places", "runc")) {
            ContainerHandle container = pod.start(counter());
            Path there = Files.writeString(newArchive(), "precious");

            assertThat(failure(() -> checkpoint(container, Path.of("relative.tar"))))
                    .extracting(Status::getCode).isEqualTo(Status.Code.INVALID_ARGUMENT);
            assertThat(failure(() -> checkpoint(container, Path.of("/no/such/directory/a.tar"))))
                    .extracting(Status::getCode).isEqualTo(Status.Code.FAILED_PRECONDITION);
            assertThat(failure(() -> checkpoint(container, there)))
                    .extracting(Status::getCode).isEqualTo(Status.Code.ALREADY_EXISTS);
            assertThat(there).hasContent("precious");
        }
    }

    @Test
    void onlyARunningContainerIsCheckpointed() throws Exception {
        try (PodHandle pod = NODE.pod("states", "runc")) {
            ContainerHandle created = pod.create(counter());
            Path archive = newArchive();

            Status failure = failure(() -> checkpoint(created, archive));

            assertThat(failure.getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
            assertThat(failure.getDescription()).contains("not running");
            assertThat(archive).doesNotExist();
        }
    }

    @Test
    void aCheckpointThatTakesTooLongLeavesTheContainerRunning() throws Exception {
        try (PodHandle pod = NODE.pod("late", "runc")) {
            ContainerHandle container = pod.start(counter());
            for (long millis : List.of(60, 120, 180, 240, 300)) {
                // Another each time: one may be finished just as the caller gives up.
                Path archive = newArchive();
                try {
                    NODE.cri().runtime(Duration.ofMillis(millis)).checkpointContainer(
                            CheckpointContainerRequest.newBuilder().setContainerId(container.id())
                                    .setLocation(archive.toString()).build());
                } catch (StatusRuntimeException e) {
                    // The one before may still be on its way.
                    if (e.getStatus().getCode() != Status.Code.FAILED_PRECONDITION) {
                        assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
                    } else {
                        assertThat(e.getStatus().getDescription()).contains("being checkpointed");
                    }
                }
                int lines = container.log().size();
                container.awaitLog(lines + 2);
            }
            Path last = newArchive();
            Await.until("a checkpoint with enough time", PATIENCE, () -> {
                try {
                    checkpoint(container, last);
                    return true;
                } catch (StatusRuntimeException e) {
                    assertThat(e.getStatus().getDescription()).contains("being checkpointed");
                    return false;
                }
            }, done -> done);
            assertThat(container.sh("echo here")).isEqualTo("here");
        }
    }

    @Test
    void aRuntimeWithoutCriuSaysSo() throws Exception {
        try (PodHandle pod = NODE.pod("crun", "crun")) {
            ContainerHandle container = pod.start(counter());
            Path archive = newArchive();

            Status failure = failure(() -> checkpoint(container, archive));

            assertThat(failure.getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
            assertThat(failure.getDescription()).contains("crun").contains("built without criu");
            assertThat(container.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        }
    }

    @Test
    void whatIsNoCheckpointIsNamed() throws Exception {
        Path text = Files.writeString(newArchive(),
                "no tar at all, but long enough for a header\n".repeat(40));
        try (PodHandle pod = NODE.pod("nothing", "runc")) {
            Status absent = failure(() -> pod.create(counter().setImage(image(Path.of("/no/such.tar")))));
            Status wrong = failure(() -> pod.create(counter().setImage(image(text))));

            assertThat(absent.getCode()).isEqualTo(Status.Code.NOT_FOUND);
            assertThat(wrong.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
            assertThat(wrong.getDescription()).contains(text.toString());
        }
    }

    private static ContainerConfig.Builder counter() {
        return Configs.container("counter", NODE.busybox(), "/bin/sh", "-c", COUNT);
    }

    private static Mount mount(Path source) {
        return Mount.newBuilder().setHostPath(source.toString()).setContainerPath("/data").build();
    }

    private static ImageSpec image(Path archive) {
        return ImageSpec.newBuilder().setImage(archive.toString()).build();
    }

    private static CheckpointContainerResponse checkpoint(ContainerHandle container, Path archive) {
        return NODE.cri().runtime().checkpointContainer(CheckpointContainerRequest.newBuilder()
                .setContainerId(container.id()).setLocation(archive.toString()).setTimeout(60).build());
    }

    private static Path newArchive() throws IOException {
        Path directory = Files.createDirectories(NODE.directory().resolve("checkpoints"));
        return directory.resolve("checkpoint-" + ++serial + ".tar");
    }

    private static int lastNumber(List<LogLine> log) {
        return Integer.parseInt(log.getLast().text().strip());
    }

    private static Status failure(Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (StatusRuntimeException e) {
            return e.getStatus();
        }
        throw new AssertionError("it succeeded");
    }

    private static Map<String, byte[]> read(Path archive) throws IOException {
        var files = new TreeMap<String, byte[]>();
        try (var tar = new TarArchiveInputStream(Files.newInputStream(archive))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                if (!entry.isDirectory()) {
                    files.put(entry.getName(), tar.readAllBytes());
                }
            }
        }
        return files;
    }

    private static JsonNode json(Map<String, byte[]> files, String name) throws IOException {
        return new ObjectMapper().readTree(files.getOrDefault(name, new byte[0]));
    }
}
