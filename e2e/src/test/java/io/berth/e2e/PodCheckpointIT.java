package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.CheckpointPodRequest;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.RestorePodRequest;
import io.berth.cri.v1.RestorePodResponse;
import io.berth.cri.v1.RestoredContainer;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Checkpoints of whole pods, with runc; Debian's crun is built without criu. */
@Testcontainers
final class PodCheckpointIT {
    /** Two that hand a number to and fro in the pod's /dev/shm: at any moment they differ by one at most. */
    private static final String LEADER = "i=0; while true; do i=$((i+1)); echo $i > /dev/shm/leader; echo $i;"
            + " while [ \"$(cat /dev/shm/follower 2>/dev/null)\" != $i ]; do sleep 0.02; done; done";
    private static final String FOLLOWER = "while true; do n=$(cat /dev/shm/leader 2>/dev/null);"
            + " [ \"$n\" = \"$(cat /dev/shm/follower 2>/dev/null)\" ] || { echo $n > /dev/shm/follower; echo $n; };"
            + " sleep 0.02; done";

    @Container
    static final Node NODE = new Node();

    private static int serial;

    @Test
    void aRestoredPodGoesOnFromOneMomentOfAllItsContainers() throws Exception {
        Path directory = newDirectory();
        int reached;
        try (PodHandle pod = NODE.pod("before", "runc")) {
            ContainerHandle leader = pod.start(leader());
            ContainerHandle follower = pod.start(follower());
            leader.awaitLog(5);
            checkpoint(pod, directory, leader, follower);
            reached = leader.awaitLog(leader.log().size() + 2).size();
            assertThat(follower.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        }
        assertThat(directory).isDirectoryContaining("glob:**/leader.tar")
                .isDirectoryContaining("glob:**/follower.tar")
                .isDirectoryContaining("glob:**/pod.options").isDirectoryContaining("glob:**/pod.dump");
        PodSandboxConfig config = newPod("after");

        RestorePodResponse response = NODE.cri().runtime().restorePod(restore(directory, config)
                .addContainerConfigs(leader()).addContainerConfigs(follower()).build());

        try (PodHandle pod = PodHandle.of(NODE.cri(), response.getPodSandboxId(), config)) {
            assertThat(response.getRestoredContainersList()).extracting(RestoredContainer::getName)
                    .containsExactly("leader", "follower");
            ContainerHandle leader = pod.container(response.getRestoredContainers(0).getContainerId(),
                    "leader_0.log");
            ContainerHandle follower = pod.container(response.getRestoredContainers(1).getContainerId(),
                    "follower_0.log");
            for (ContainerHandle container : List.of(leader, follower)) {
                assertThat(container.status().getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
            }
            int old = leader.log().size();

            leader.start();
            follower.start();

            assertThat(leader.awaitLog(old + 5)).extracting(line -> Integer.parseInt(line.text()))
                    .as("no number is lost and none comes twice").isSorted().doesNotHaveDuplicates()
                    .contains(old, old + 1, old + 2);
            assertThat(old).isLessThanOrEqualTo(reached);
            // A retry finds what was made.
            assertThat(NODE.cri().runtime().restorePod(restore(directory, config)
                    .addContainerConfigs(leader()).addContainerConfigs(follower()).build()))
                    .isEqualTo(response);
        }
    }

    @Test
    void aRestoreThatDescribesAnotherPodLeavesNothing() throws Exception {
        Path directory = newDirectory();
        try (PodHandle pod = NODE.pod("described", "runc")) {
            checkpoint(pod, directory, pod.start(leader()));
        }
        RestorePodRequest.Builder request = restore(directory, newPod("other"));

        assertRefused(request.clone(), "container_configs").contains("[leader]");
        assertRefused(request.clone().addContainerConfigs(leader()).addContainerConfigs(follower()),
                "container_configs");
        assertRefused(request.clone().addContainerConfigs(leader()).addContainerConfigs(leader()), "twice");
        assertRefused(request.clone().addContainerConfigs(leader().clearCommand().addCommand("/bin/true")),
                "command and args");
        assertRefused(request.clone().addContainerConfigs(leader().setWorkingDir("/root")), "working_dir");
        assertRefused(request.clone().addContainerConfigs(leader().addEnvs(Configs.env("SECRET", "hidden"))),
                "envs")
                .doesNotContain("hidden");
        assertRefused(request.clone().addContainerConfigs(leader()).putOptions("fast", "yes"), "options")
                .contains("fast");
        assertRefused(request.clone().addContainerConfigs(leader()).setRuntimeHandler("nosuch"), "nosuch");
        assertThat(failure(() -> NODE.cri().runtime().restorePod(request.clone().setCheckpointPath("/no/such")
                .addContainerConfigs(leader()).build())).getCode()).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(failure(() -> NODE.cri().runtime().restorePod(request.clone().setRuntimeHandler("crun")
                .addContainerConfigs(leader()).build()))).satisfies(status -> {
                    assertThat(status.getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
                    assertThat(status.getDescription()).contains("built without criu");
                });
        assertThat(NODE.cri().runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                .getItemsList())
                .isEmpty();
    }

    @Test
    void aCheckpointThatCannotBeMadeLeavesNothing() throws Exception {
        try (PodHandle pod = NODE.pod("one", "runc"); PodHandle other = NODE.pod("two", "runc")) {
            ContainerHandle runs = pod.start(leader());
            ContainerHandle created = pod.create(follower());
            ContainerHandle foreign = other.start(leader());
            Path directory = newDirectory();

            assertCheckpointRefused(pod, directory, Status.Code.INVALID_ARGUMENT, "container_ids is empty");
            assertCheckpointRefused(pod, directory, Status.Code.INVALID_ARGUMENT, "twice", runs, runs);
            assertCheckpointRefused(pod, directory, Status.Code.INVALID_ARGUMENT, "is not of sandbox", runs,
                    foreign);
            assertCheckpointRefused(pod, directory, Status.Code.FAILED_PRECONDITION, "not running", runs,
                    created);
            assertCheckpointRefused(pod, Path.of("relative"), Status.Code.INVALID_ARGUMENT, "absolute", runs);
            assertCheckpointRefused(pod, directory.resolve("none"), Status.Code.FAILED_PRECONDITION,
                    "no directory", runs);
            assertThat(directory).isEmptyDirectory();
            Path file = Files.writeString(directory.resolve("precious"), "x");
            assertCheckpointRefused(pod, directory, Status.Code.FAILED_PRECONDITION, "not empty", runs);
            assertThat(file).hasContent("x");
            assertThat(runs.sh("echo runs")).isEqualTo("runs");
        }
    }

    private static ContainerConfig.Builder leader() {
        return Configs.container("leader", NODE.busybox(), "/bin/sh", "-c", LEADER);
    }

    private static ContainerConfig.Builder follower() {
        return Configs.container("follower", NODE.busybox(), "/bin/sh", "-c", FOLLOWER);
    }

    private static PodSandboxConfig newPod(String name) throws IOException {
        PodSandboxConfig config = Configs.pod(name, NODE.logs()).build();
        Files.createDirectories(Path.of(config.getLogDirectory()));
        return config;
    }

    private static RestorePodRequest.Builder restore(Path directory, PodSandboxConfig config) {
        return RestorePodRequest.newBuilder().setCheckpointPath(directory.toString()).setConfig(config)
                .setRuntimeHandler("runc");
    }

    private static void checkpoint(PodHandle pod, Path directory, ContainerHandle... containers) {
        var request = CheckpointPodRequest.newBuilder().setPodSandboxId(pod.id())
                .setOutputPath(directory.toString());
        for (ContainerHandle container : containers) {
            request.addContainerIds(container.id());
        }
        NODE.cri().runtime().checkpointPod(request.build());
    }

    private static void assertCheckpointRefused(PodHandle pod, Path directory, Status.Code code, String words,
            ContainerHandle... containers) throws Exception {
        Status failure = failure(() -> {
            checkpoint(pod, directory, containers);
            return true;
        });
        assertThat(failure.getCode()).isEqualTo(code);
        assertThat(failure.getDescription()).contains(words);
    }

    private static org.assertj.core.api.AbstractStringAssert<?> assertRefused(
            RestorePodRequest.Builder request,
            String words) throws Exception {
        Status failure = failure(() -> NODE.cri().runtime().restorePod(request.build()));
        assertThat(failure.getCode()).as(failure.getDescription()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        return assertThat(failure.getDescription()).contains(words);
    }

    private static Status failure(Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (StatusRuntimeException e) {
            return e.getStatus();
        }
        throw new AssertionError("it succeeded");
    }

    private static Path newDirectory() throws IOException {
        return Files.createDirectories(NODE.directory().resolve("pod-checkpoint-" + ++serial));
    }
}
