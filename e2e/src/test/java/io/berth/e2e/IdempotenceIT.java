package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.RemoveContainerRequest;
import io.berth.cri.v1.RemovePodSandboxRequest;
import io.berth.cri.v1.StopContainerRequest;
import io.berth.cri.v1.StopPodSandboxRequest;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Processes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class IdempotenceIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    IdempotenceIT(String handler) {
        this.handler = handler;
    }

    @Test
    void stoppingAndRemovingWhatIsNotThereSucceeds() {
        var runtime = NODE.cri().runtime();

        runtime.stopContainer(StopContainerRequest.newBuilder().setContainerId("gone").build());
        runtime.removeContainer(RemoveContainerRequest.newBuilder().setContainerId("gone").build());
        runtime.stopPodSandbox(StopPodSandboxRequest.newBuilder().setPodSandboxId("gone").build());
        runtime.removePodSandbox(RemovePodSandboxRequest.newBuilder().setPodSandboxId("gone").build());
    }

    @Test
    void stoppingAndRemovingTwiceSucceeds() {
        PodHandle pod = NODE.pod("twice", handler);
        ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
        container.stop(0);
        container.stop(0);
        container.remove();
        container.remove();
        pod.stop();
        pod.stop();
        pod.remove();
        pod.remove();
    }

    @Test
    void theSamePodAskedForAgainIsThatPod() {
        var config = Configs.pod("again", NODE.logs());
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            assertThat(PodHandle.run(NODE.cri(), config, handler).id()).isEqualTo(pod.id());
        }
    }

    @Test
    void theSameContainerAskedForAgainIsThatContainer() {
        try (PodHandle pod = NODE.pod("container-again", handler)) {
            var config = Configs.container("main", NODE.busybox(), "sleep", "1000");

            assertThat(pod.create(config).id()).isEqualTo(pod.create(config).id());
        }
    }

    @Test
    void theSamePodAskedForByManyAtOnceIsOnePod() throws Exception {
        var config = Configs.pod("at-once", NODE.logs());
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<String>> calls = IntStream.range(0, 8)
                    .<Callable<String>>mapToObj(i -> () -> PodHandle.run(NODE.cri(), config, handler).id())
                    .toList();
            var ids = new ArrayList<String>();
            for (var answer : threads.invokeAll(calls)) {
                ids.add(answer.get());
            }

            assertThat(Set.copyOf(ids)).hasSize(1);
        }
    }

    @Test
    void anotherAttemptIsAnotherContainer() {
        try (PodHandle pod = NODE.pod("attempt", handler)) {
            var config = Configs.container("main", NODE.busybox(), "true");
            ContainerHandle first = pod.start(config);
            config.getMetadataBuilder().setAttempt(1);

            assertThat(pod.start(config).id()).isNotEqualTo(first.id());
        }
    }

    @Test
    void aContainerMayBeRemovedBeforeItsStartAndAfterItsEnd() {
        try (PodHandle pod = NODE.pod("removed", handler)) {
            ContainerHandle created = pod.create(Configs.container("created", NODE.busybox(), "true"));
            ContainerHandle ended = pod.start(Configs.container("ended", NODE.busybox(), "true"));
            ended.awaitExit();
            created.remove();
            ended.remove();

            assertThatThrownBy(created::status).hasMessageStartingWith("NOT_FOUND");
            assertThatThrownBy(ended::status).hasMessageStartingWith("NOT_FOUND");
        }
    }

    @Test
    void removingAContainerThatRunsEndsIt() {
        try (PodHandle pod = NODE.pod("remove-running", handler)) {
            ContainerHandle container = pod
                    .start(Configs.container("main", NODE.busybox(), "sleep", "20051"));
            container.remove();

            assertThat(Processes.commandLines())
                    .noneMatch(line -> line.endsWith("sleep 20051"));
        }
    }
}
