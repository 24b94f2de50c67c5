package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ImageStatusRequest;
import io.berth.cri.v1.ListImagesRequest;
import io.berth.cri.v1.PodSandboxStatus;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.BerthCommand;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Damaged databases, and {@code berth recover}. */
@Testcontainers
final class RecoverIT {
    @Container
    static final Node NODE = new Node();

    private static final String HANDLER = "crun";
    private static final int PAGE_BYTES = 4096;

    /** What a failing disk or a wrong hand does to a file. */
    enum Damage {
        EMPTY {
            @Override
            void of(Path file) throws IOException {
                Files.write(file, new byte[0]);
            }
        },
        TRUNCATED {
            @Override
            void of(Path file) throws IOException {
                try (var content = new RandomAccessFile(file.toFile(), "rw")) {
                    content.setLength(PAGE_BYTES + PAGE_BYTES / 2);
                }
            }
        },
        OVERWRITTEN {
            @Override
            void of(Path file) throws IOException {
                byte[] noise = new byte[3 * PAGE_BYTES];
                Arrays.fill(noise, (byte) 0xa5);
                try (var content = new RandomAccessFile(file.toFile(), "rw")) {
                    content.seek(PAGE_BYTES);
                    content.write(noise);
                }
            }
        },
        NO_DATABASE {
            @Override
            void of(Path file) throws IOException {
                Files.writeString(file, "this is not a database, whatever its name says\n".repeat(200));
            }
        },
        GONE {
            @Override
            void of(Path file) throws IOException {
                Files.delete(file);
            }
        };

        abstract void of(Path file) throws IOException;
    }

    @ParameterizedTest
    @EnumSource(Damage.class)
    void podsContainersAndImagesAreKnownAgain(Damage damage) throws IOException {
        try (PodHandle pod = NODE.pod("recover", HANDLER)) {
            ContainerHandle running = pod.start(Configs.container("running", NODE.busybox(), "sh", "-c",
                    "i=0; while :; do i=$((i+1)); echo $i; usleep 10000; done"));
            ContainerHandle created = pod
                    .create(Configs.container("created", NODE.busybox(), "echo", "after all"));
            ContainerHandle ended = pod
                    .start(Configs.container("ended", NODE.busybox(), "sh", "-c", "exit 3"));
            ContainerStatus end = ended.awaitExit();
            ContainerStatus status = running.status();
            PodSandboxStatus podStatus = pod.status();
            Set<String> images = images();
            NODE.server().stop();
            for (Path database : databases()) {
                // Without its log, which would have the right pages.
                Files.deleteIfExists(database.resolveSibling(database.getFileName() + "-wal"));
                Files.deleteIfExists(database.resolveSibling(database.getFileName() + "-shm"));
                damage.of(database);
            }

            assertThatThrownBy(() -> NODE.server().start()).hasMessageContaining("images.db is damaged")
                    .hasMessageContaining("berth recover");
            Command.Result recovered = recover();
            assertThat(recovered.exitCode()).as(recovered.output()).isZero();
            assertThat(recovered.stdout()).contains("berth.db was damaged", "images.db was damaged");
            NODE.server().start();

            assertThat(running.status()).isEqualTo(status);
            assertThat(pod.status()).isEqualTo(podStatus);
            assertThat(ended.status()).isEqualTo(end);
            assertThat(created.start().output()).isEqualTo("after all");
            assertThat(running.sh("echo still here")).isEqualTo("still here");
            List<LogLine> lines = running.awaitLog(running.log().size() + 5);
            assertThat(lines).extracting(LogLine::text).isEqualTo(
                    Configs.counted(lines.size()));
            assertThat(images()).isEqualTo(images);
            assertThat(pod.start(Configs.container("new", NODE.busybox(), "echo", "as before")).output())
                    .isEqualTo("as before");
            assertThat(kept()).hasSize(damage == Damage.GONE ? 0 : 2);
        }
        for (Path file : kept()) {
            Files.delete(file);
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void soundDatabasesAreLeftAsTheyAre() throws IOException {
        try (PodHandle pod = NODE.pod("sound", HANDLER)) {
            NODE.server().stop();
            Command.Result result = recover();
            NODE.server().start();

            assertThat(result.exitCode()).as(result.output()).isZero();
            assertThat(result.stdout()).contains("berth.db is sound.", "images.db is sound.");
            assertThat(kept()).isEmpty();
            assertThat(pod.start(Configs.container("main", NODE.busybox(), "true")).awaitExit().getState())
                    .isEqualTo(ContainerState.CONTAINER_EXITED);
        }
    }

    @Test
    void itIsRefusedWhileADaemonRuns() {
        Command.Result result = recover();

        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.stderr()).contains("is in use by another berth");
    }

    @Test
    void anImageWhoseLayerIsLostIsNamedAndCanBePulledAgain() throws IOException {
        String id = NODE.cri().images().imageStatus(ImageStatusRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(NODE.busybox())).build()).getImage().getId();
        NODE.server().stop();
        Path images = NODE.directory().resolve("d/root/images");
        Damage.EMPTY.of(images.resolve("images.db"));
        Command.output("rm", "-rf", images.resolve("layers").toString());
        Files.createDirectory(images.resolve("layers"));
        Command.Result result = recover();

        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.stdout()).contains("Lost: image " + id, "pull it again");
        NODE.server().start();
        assertThat(images()).noneMatch(name -> name.contains(id));
        NODE.cri().images().pullImage(io.berth.cri.v1.PullImageRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(NODE.busybox())).build());
        try (PodHandle pod = NODE.pod("pulled-again", HANDLER)) {
            assertThat(pod.start(Configs.container("main", NODE.busybox(), "echo", "whole")).output())
                    .isEqualTo("whole");
        }
        for (Path file : kept()) {
            Files.delete(file);
        }
    }

    private static Command.Result recover() {
        return new BerthCommand(((BerthDaemon) NODE.server()).configuration()).recover();
    }

    private static Set<String> images() {
        return NODE.cri().images().listImages(ListImagesRequest.getDefaultInstance()).getImagesList().stream()
                .map(image -> image.getId() + image.getRepoTagsList() + image.getRepoDigestsList())
                .collect(Collectors.toSet());
    }

    private static List<Path> databases() {
        Path root = NODE.directory().resolve("d/root");
        return List.of(root.resolve("berth.db"), root.resolve("images/images.db"));
    }

    /** Files that were kept aside. */
    private static List<Path> kept() throws IOException {
        try (Stream<Path> files = Files.walk(NODE.directory().resolve("d/root"), 2)) {
            return files.filter(file -> file.getFileName().toString().contains(".damaged-")).toList();
        }
    }
}
