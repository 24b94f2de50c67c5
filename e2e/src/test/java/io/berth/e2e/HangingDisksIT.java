package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerMetadata;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ListContainerStatsRequest;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.cri.v1.ListImagesRequest;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.ListPodSandboxStatsRequest;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RunPodSandboxRequest;
import io.berth.cri.v1.StopContainerRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.EventQueue;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.HangingDisk;
import io.berth.e2e.node.Node;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Storage that does not answer, below a volume, the logs and the daemon's root: whoever writes to it cannot be killed. */
@Testcontainers
final class HangingDisksIT {
    private static final Duration SOON = Duration.ofSeconds(20);
    /** Of calls that have nothing to do with the disk that hangs. */
    private static final Duration QUICK = Duration.ofSeconds(5);
    private static final Duration GIVEN_UP = Duration.ofSeconds(3);

    @Container
    static final Node NODE = new Node();

    @Test
    void aProcessThatCannotBeKilledIsNamedAndKeptUntilItEnds() {
        Path volume = NODE.directory().resolve("volume");
        try (HangingDisk disk = HangingDisk.mount(volume);
                PodHandle pod = NODE.pod("stuck", "runc");
                PodHandle neighbour = NODE.pod("free", "crun")) {
            ContainerHandle other = neighbour.start(counting());
            ContainerHandle stuck = pod.start(writingTo(volume));
            stuck.awaitLog(3);
            disk.hang();
            awaitSilence(stuck);

            assertThatThrownBy(() -> stuck.exec(2, "/bin/sh", "-c", "echo x > /data/exec"))
                    .hasMessageStartingWith("DEADLINE_EXCEEDED");
            assertThatThrownBy(() -> stuck.stop(1)).hasMessageStartingWith("DEADLINE_EXCEEDED")
                    .hasMessageContaining(stuck.id()).hasMessageContaining("uninterruptible sleep");
            assertThat(stuck.status().getState()).as("it is told as it is")
                    .isEqualTo(ContainerState.CONTAINER_RUNNING);
            assertIsServed(NODE.cri(), other, 2);

            restart();
            assertThat(stuck.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
            assertIsServed(NODE.cri(), other, 2);

            try (var events = new EventQueue(NODE.cri())) {
                disk.heal();
                events.awaitEnd(stuck.id(), SOON);
            }
            assertThat(stuck.status().getExitCode()).isEqualTo(137);
            stuck.stop(0);
            stuck.remove();
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void logsThatCannotBeWrittenHoldUpTheirContainerAloneAndLoseNoLine() {
        Path logs = NODE.directory().resolve("hanging-logs");
        try (HangingDisk disk = HangingDisk.mount(logs);
                PodHandle pod = PodHandle.run(NODE.cri(), Configs.pod("mute", logs), "runc");
                PodHandle neighbour = NODE.pod("loud", "crun")) {
            ContainerHandle other = neighbour.start(counting());
            ContainerHandle mute = pod.start(counting());
            ContainerHandle ended = pod
                    .start(counting().setMetadata(ContainerMetadata.newBuilder().setName("ended"))
                            .setLogPath("ended.log"));
            mute.awaitLog(3);
            ended.awaitLog(3);
            disk.hang();
            awaitSilence(mute);

            assertThatThrownBy(() -> mute.exec(2, "true")).hasMessageStartingWith("DEADLINE_EXCEEDED");
            assertIsServed(NODE.cri(), other, 3);
            ended.stop(1);
            assertThat(ended.status().getExitCode()).isEqualTo(137);
            restart();
            assertIsServed(NODE.cri(), other, 2);

            disk.heal();
            int lines = mute.log().size();
            assertCounts(mute.awaitLog(lines + 20));
            assertThat(mute.sh("echo again")).isEqualTo("again");
            assertCounts(ended.log());
            ended.remove();
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void aRootThatCannotBeWrittenKeepsWhatRunsAndFinishesWhatWasAskedForLater() {
        Path directory = NODE.directory().resolve("h");
        Path root = directory.resolve("root");
        String later = NODE.registry().push("e2e/later", "1",
                TestImage.builder().layer(Busybox.layer()).env("LATER=yes").build());
        try (HangingDisk disk = HangingDisk.mount(root)) {
            var daemon = new BerthDaemon(BerthDaemon.Options
                    .in(directory, NODE.network(), NODE.registriesConf()).withRoot(root.resolve("berth")));
            daemon.start();
            try (Cri cri = Cri.connect(daemon.socket())) {
                pull(cri, NODE.busybox(), SOON);
                PodHandle pod = PodHandle.run(cri, Configs.pod("served", NODE.logs()), "runc");
                ContainerHandle container = pod.start(counting());
                ContainerHandle stopped = pod.start(Configs.container("stopped", NODE.busybox(), "sh", "-c",
                        "trap 'exit 7' TERM; echo ready; while true; do usleep 20000; done"));
                stopped.awaitLog(1);
                disk.hang();

                assertIsServed(cri, container, 2);
                var asked = RunPodSandboxRequest.newBuilder().setConfig(Configs.pod("asked", NODE.logs()))
                        .setRuntimeHandler("runc").build();
                assertThatThrownBy(() -> cri.runtime(GIVEN_UP).runPodSandbox(asked))
                        .hasMessageStartingWith("DEADLINE_EXCEEDED");
                assertThatThrownBy(() -> pull(cri, later, GIVEN_UP))
                        .hasMessageStartingWith("DEADLINE_EXCEEDED");
                cri.runtime(QUICK).stopContainer(StopContainerRequest.newBuilder()
                        .setContainerId(stopped.id()).setTimeout(QUICK.toSeconds()).build());
                assertThat(stopped.status().getExitCode()).isEqualTo(7);
                assertIsServed(cri, container, 1);

                disk.heal();
                String id = cri.runtime().runPodSandbox(asked).getPodSandboxId();
                pull(cri, later, SOON);
                assertThat(cri.images().listImages(ListImagesRequest.getDefaultInstance()).getImagesList())
                        .anyMatch(image -> image.getRepoTagsList().contains(later));
                assertCounts(container.log());
                pod.close();
                PodHandle.of(cri, id, asked.getConfig()).close();
                assertThat(cri.runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                        .getItemsList()).isEmpty();
            } finally {
                disk.heal();
                daemon.stop();
            }
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    /** Lists and stats of all containers, and the life of one that has nothing to do with the disk. */
    private static void assertIsServed(Cri cri, ContainerHandle container, int running) {
        var quick = cri.runtime(QUICK);
        assertThat(quick.listContainers(ListContainersRequest.getDefaultInstance()).getContainersList())
                .filteredOn(each -> each.getState() == ContainerState.CONTAINER_RUNNING).hasSize(running);
        assertThat(quick.listContainerStats(ListContainerStatsRequest.getDefaultInstance()).getStatsCount())
                .isGreaterThanOrEqualTo(running);
        assertThat(quick.listPodSandboxStats(ListPodSandboxStatsRequest.getDefaultInstance())
                .getStatsCount()).isPositive();
        assertThat(container.exec(QUICK.toSeconds(), "echo", "here").getStdout().toStringUtf8())
                .isEqualTo("here\n");
        container.awaitLog(container.log().size() + 5);
    }

    private static void restart() {
        NODE.server().kill();
        NODE.server().start();
    }

    private static void awaitSilence(ContainerHandle container) {
        Await.until("container " + container.id() + " hangs", SOON, () -> {
            int before = container.log().size();
            try {
                Thread.sleep(500);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            return container.log().size() - before;
        }, written -> written == 0);
    }

    private static void assertCounts(List<LogLine> log) {
        assertThat(log).extracting(LogLine::text)
                .containsExactlyElementsOf(Configs.counted(log.size()));
    }

    private static void pull(Cri cri, String image, Duration deadline) {
        cri.images(deadline).pullImage(PullImageRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(image)).build());
    }

    private static ContainerConfig.Builder counting() {
        return Configs.counting("counting", NODE.busybox());
    }

    private static ContainerConfig.Builder writingTo(Path volume) {
        return Configs.container("writing", NODE.busybox(), "sh", "-c",
                "while true; do echo x > /data/file; echo written; usleep 20000; done")
                .addMounts(Mount.newBuilder().setHostPath(volume.toString()).setContainerPath("/data"));
    }
}
