package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerFilter;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStateValue;
import io.berth.cri.v1.ContainerStatsFilter;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ListContainerStatsRequest;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.PodSandbox;
import io.berth.cri.v1.PodSandboxFilter;
import io.berth.cri.v1.PodSandboxState;
import io.berth.cri.v1.PodSandboxStateValue;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@Testcontainers
final class ListsIT {
    @Container
    static final Node NODE = new Node();

    @Test
    void podsAreFoundByIdStateAndLabels() {
        var labelled = Configs.pod("labelled", NODE.logs()).putLabels("tier", "front");
        try (PodHandle pod = PodHandle.run(NODE.cri(), labelled, "");
                PodHandle other = NODE.pod("other", "")) {
            other.stop();

            assertThat(pods(PodSandboxFilter.newBuilder())).contains(pod.id(), other.id());
            assertThat(pods(PodSandboxFilter.newBuilder().setId(pod.id()))).containsExactly(pod.id());
            assertThat(pods(PodSandboxFilter.newBuilder().setId(pod.id().substring(0, 16))))
                    .containsExactly(pod.id());
            assertThat(pods(PodSandboxFilter.newBuilder().putLabelSelector("tier", "front")))
                    .containsExactly(pod.id());
            assertThat(pods(PodSandboxFilter.newBuilder().putLabelSelector("tier", "back"))).isEmpty();
            assertThat(pods(PodSandboxFilter.newBuilder().setState(state(PodSandboxState.SANDBOX_NOTREADY))))
                    .contains(other.id()).doesNotContain(pod.id());
            assertThat(pods(PodSandboxFilter.newBuilder().setId("0".repeat(64)))).isEmpty();
        }
    }

    @Test
    void containersAreFoundByIdPodStateAndLabels() {
        try (PodHandle pod = NODE.pod("listed", ""); PodHandle other = NODE.pod("unlisted", "")) {
            ContainerHandle running = pod.start(Configs.container("running", NODE.busybox(), "sleep", "1000")
                    .putLabels("tier", "front"));
            ContainerHandle ended = pod.start(Configs.container("ended", NODE.busybox(), "true"));
            ContainerHandle created = other.create(Configs.container("created", NODE.busybox(), "true"));
            ended.awaitExit();

            assertThat(containers(ContainerFilter.newBuilder())).contains(running.id(), ended.id(),
                    created.id());
            assertThat(containers(ContainerFilter.newBuilder().setId(running.id())))
                    .containsExactly(running.id());
            assertThat(containers(ContainerFilter.newBuilder().setPodSandboxId(pod.id())))
                    .containsExactlyInAnyOrder(running.id(), ended.id());
            assertThat(containers(ContainerFilter.newBuilder().putLabelSelector("tier", "front")))
                    .containsExactly(running.id());
            assertThat(containers(state(ContainerState.CONTAINER_CREATED))).containsExactly(created.id());
            assertThat(containers(state(ContainerState.CONTAINER_EXITED))).containsExactly(ended.id());
            assertThat(containers(state(ContainerState.CONTAINER_RUNNING).setPodSandboxId(other.id())))
                    .isEmpty();
        }
    }

    @Test
    void aListedContainerSaysWhatItsStatusSays() {
        try (PodHandle pod = NODE.pod("same", "")) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000")
                    .putAnnotations("note", "kept"));
            io.berth.cri.v1.Container listed = list(ContainerFilter.newBuilder().setId(container.id()))
                    .getFirst();
            ContainerStatus status = container.status();

            assertThat(listed.getMetadata()).isEqualTo(status.getMetadata());
            assertThat(listed.getAnnotationsMap()).isEqualTo(status.getAnnotationsMap()).containsEntry("note",
                    "kept");
            assertThat(listed.getCreatedAt()).isEqualTo(status.getCreatedAt());
            assertThat(listed.getPodSandboxId()).isEqualTo(pod.id());
        }
    }

    @Test
    void statsAreListedForRunningContainersOfTheFilter() {
        try (PodHandle pod = NODE.pod("stats", "")) {
            ContainerHandle one = pod.start(Configs.container("one", NODE.busybox(), "sleep", "1000"));
            pod.start(Configs.container("other", NODE.busybox(), "sleep", "1000"));

            assertThat(NODE.cri().runtime()
                    .listContainerStats(ListContainerStatsRequest.newBuilder().setFilter(
                            ContainerStatsFilter.newBuilder().setPodSandboxId(pod.id())).build())
                    .getStatsList()).hasSize(2)
                    .allSatisfy(stats -> assertThat(stats.getMemory().getWorkingSetBytes().getValue())
                            .isPositive());
            assertThat(NODE.cri().runtime()
                    .listContainerStats(ListContainerStatsRequest.newBuilder().setFilter(
                            ContainerStatsFilter.newBuilder().setId(one.id())).build())
                    .getStatsList())
                    .extracting(stats -> stats.getAttributes().getId()).containsExactly(one.id());
        }
    }

    private static List<String> pods(PodSandboxFilter.Builder filter) {
        return NODE.cri().runtime()
                .listPodSandbox(ListPodSandboxRequest.newBuilder().setFilter(filter).build())
                .getItemsList().stream().map(PodSandbox::getId).toList();
    }

    private static List<String> containers(ContainerFilter.Builder filter) {
        return list(filter).stream().map(io.berth.cri.v1.Container::getId).toList();
    }

    private static List<io.berth.cri.v1.Container> list(ContainerFilter.Builder filter) {
        return NODE.cri().runtime()
                .listContainers(ListContainersRequest.newBuilder().setFilter(filter).build())
                .getContainersList();
    }

    private static PodSandboxStateValue state(PodSandboxState state) {
        return PodSandboxStateValue.newBuilder().setState(state).build();
    }

    private static ContainerFilter.Builder state(ContainerState state) {
        return ContainerFilter.newBuilder().setState(ContainerStateValue.newBuilder().setState(state));
    }
}
