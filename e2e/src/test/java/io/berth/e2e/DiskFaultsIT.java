package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.PodSandboxState;
import io.berth.cri.v1.PullImageRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthCommand;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Real disks that are full, over quota or broken while a layer is unpacked: what was there before stays whole. */
@Testcontainers
final class DiskFaultsIT {
    private static final int LARGE_BYTES = 40 << 20;
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @Container
    static final Node NODE = new Node();

    private Path directory;
    private Path disk;
    private String small;
    private String large;

    @BeforeEach
    void push() throws IOException {
        directory = Files.createTempDirectory(Node.workspace(), "k");
        disk = Files.createDirectory(directory.resolve("disk"));
        Files.createDirectory(directory.resolve("back"));
        small = NODE.registry().push("faults/small", "1", image("small", 300_000));
        large = NODE.registry().push("faults/large", "1", image("large", LARGE_BYTES));
    }

    @AfterEach
    void unmount() {
        Command.run(List.of("umount", disk.toString()));
        Command.run(List.of("umount", directory.resolve("back").toString()));
    }

    @Test
    void aFullDiskLosesNothing() throws IOException {
        Path image = sparse(directory.resolve("full.img"), 24);
        Command.output("mkfs.ext4", "-q", "-m", "0", image.toString());
        Command.output("mount", "-o", "loop", image.toString(), disk.toString());

        assertOnlySmallAfterFailure(disk, "file system of the image store is full");
    }

    @Test
    void aDiskWithoutInodesLosesNothing() throws IOException {
        Path image = sparse(directory.resolve("inodes.img"), 96);
        Command.output("mkfs.ext4", "-q", "-N", "200", image.toString());
        Command.output("mount", "-o", "loop", image.toString(), disk.toString());
        Layer.Builder files = Layer.builder();
        for (int i = 0; i < 400; i++) {
            files.file("many/" + i, 0644, "x");
        }
        large = NODE.registry().push("faults/many", "1",
                TestImage.builder().layer(files.build(Compression.GZIP)).build());

        assertOnlySmallAfterFailure(disk, "free some space or inodes");
    }

    /** btrfs' quotas hold for root, too; those of ext4 and XFS only without CAP_SYS_RESOURCE. */
    @Test
    void aQuotaThatIsExceededLosesNothing() throws IOException {
        Path image = sparse(directory.resolve("quota.img"), 160);
        Command.output("mkfs.btrfs", "-q", image.toString());
        Command.output("mount", "-o", "loop", image.toString(), disk.toString());
        Path root = disk.resolve("r");
        Command.output("btrfs", "quota", "enable", disk.toString());
        Command.output("btrfs", "subvolume", "create", root.toString());
        Command.output("btrfs", "qgroup", "limit", "16M", root.toString());

        assertOnlySmallAfterFailure(root, "file system of the image store is full");
    }

    /**
     * A thin disk whose backing runs out: the file system takes the data, and the kernel cannot write it. It says so to the one
     * who waits for the disk, once; a second sync succeeds. With EIO or ENOSPC as the loop device passes it on, with EROFS where
     * the journal was met first and has given up.
     */
    @Test
    void aDiskThatFailsToWriteLosesNothing() throws IOException {
        Path back = directory.resolve("back");
        Command.output("mount", "-t", "tmpfs", "-o", "size=20m", "none", back.toString());
        Path image = sparse(back.resolve("thin.img"), 96);
        Command.output("mkfs.ext4", "-q", "-J", "size=4", "-E", "nodiscard", image.toString());
        Command.output("mount", "-o", "loop,nodiscard,errors=continue", image.toString(), disk.toString());
        BerthCommand berth = berth(disk);
        berth.imageDone("pull", small);

        Command.Result failed = berth.image("pull", large);
        assertThat(failed.exitCode()).isEqualTo(1);
        assertThat(failed.output()).contains("cannot write layers to disk")
                .containsPattern("EIO|EROFS|is full").doesNotContain("\tat ");

        // The disk is repaired, and the machine rebooted: nothing is left of what the kernel remembered.
        Command.output("umount", disk.toString());
        Command.output("mount", "-o", "remount,size=120m", back.toString());
        Command.output("mount", "-o", "loop,nodiscard", image.toString(), disk.toString());
        assertThat(berth.imageDone("ls")).contains(small).doesNotContain(large);
        assertThat(berth.imageDone("verify")).contains(": clean");
        berth.imageDone("pull", large);
        assertThat(berth.imageDone("verify")).contains(small).contains(large).doesNotContain("NOT CLEAN");
    }

    /** The same disk below a daemon. What it cannot write it says, what runs runs on, and once repaired it knows all of it. */
    @Test
    void aDaemonOnADiskThatFailsToWriteKeepsWhatRuns() throws IOException {
        Path back = directory.resolve("back");
        Command.output("mount", "-t", "tmpfs", "-o", "size=64m", "none", back.toString());
        Path image = sparse(back.resolve("thin.img"), 256);
        Command.output("mkfs.ext4", "-q", "-J", "size=4", "-E", "nodiscard", image.toString());
        Command.output("mount", "-o", "loop,nodiscard,errors=remount-ro", image.toString(), disk.toString());
        var daemon = new BerthDaemon(BerthDaemon.Options
                .in(directory.resolve("w"), NODE.network(), NODE.registriesConf())
                .withRoot(disk.resolve("root")));
        daemon.start();
        try (Cri cri = Cri.connect(daemon.socket())) {
            cri.images().pullImage(PullImageRequest.newBuilder()
                    .setImage(ImageSpec.newBuilder().setImage(NODE.busybox())).build());
            PodHandle pod = PodHandle.run(cri, Configs.pod("served", NODE.logs()), "runc");
            ContainerHandle container = pod.start(Configs.counting("main", NODE.busybox()));
            container.awaitLog(3);
            // More than is behind the disk: some of it is lost, and then the file system takes no more.
            Command.run(
                    List.of("dd", "if=/dev/urandom", "of=" + disk.resolve("ballast"), "bs=1M", "count=100"));
            Await.until("the file system is read-only", PATIENCE, () -> {
                Command.run(List.of("sync", "-f", disk.toString()));
                return Command.run(List.of("touch", disk.resolve("probe").toString())).exitCode();
            }, code -> code != 0);

            assertThatThrownBy(() -> pod.start(Configs.container("new", NODE.busybox(), "true")))
                    .isInstanceOf(StatusRuntimeException.class).hasMessageContaining(disk.toString());
            assertThat(container.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
            container.awaitLog(container.log().size() + 5);
            assertThat(container.sh("echo alive")).isEqualTo("alive");
            container.stop(0);
            assertThat(container.status().getExitCode()).isEqualTo(137);

            daemon.kill();
            Command.output("umount",
                    directory.resolve("w/state/containers/" + container.id() + "/rootfs").toString());
            Await.until("the disk is not in use", PATIENCE,
                    () -> Command.run(List.of("umount", disk.toString())).exitCode(), code -> code == 0);
            Command.output("mount", "-o", "remount,size=400m", back.toString());
            Command.run(List.of("e2fsck", "-f", "-y", image.toString()));
            Command.output("mount", "-o", "loop,nodiscard", image.toString(), disk.toString());
            daemon.start();
            assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_READY);
            assertThat(container.status().getExitCode()).isEqualTo(137);
            assertThat(pod.start(Configs.container("after", NODE.busybox(), "echo", "well")).output())
                    .isEqualTo("well");
            pod.close();
        } finally {
            daemon.stop();
        }
    }

    private void assertOnlySmallAfterFailure(Path root, String message) throws IOException {
        BerthCommand berth = berth(root);
        berth.imageDone("pull", small);

        Command.Result failed = berth.image("pull", large);
        assertThat(failed.exitCode()).isEqualTo(1);
        assertThat(failed.output()).contains(message).doesNotContain("\tat ");
        assertThat(berth.imageDone("ls")).contains(small).doesNotContain(large);
        assertThat(berth.imageDone("verify")).contains(small).contains(": clean");
        assertThat(root.resolve("root/images/ingest")).isEmptyDirectory();
        berth.imageDone("rm", small);
        berth.imageDone("pull", small);
    }

    private BerthCommand berth(Path root) {
        return new BerthCommand(new BerthDaemon(BerthDaemon.Options
                .in(directory.resolve("d"), NODE.network(), NODE.registriesConf())
                .withRoot(root.resolve("root"))).configuration());
    }

    private static Path sparse(Path file, int mebibytes) throws IOException {
        try (var channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW,
                StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), ((long) mebibytes << 20) - 1);
        }
        return file;
    }

    private static TestImage image(String name, int bytes) {
        var random = new byte[bytes];
        new Random(name.hashCode()).nextBytes(random);
        return TestImage.builder()
                .layer(Layer.builder().file("data/" + name, 0644, random).build(Compression.NONE)).build();
    }
}
