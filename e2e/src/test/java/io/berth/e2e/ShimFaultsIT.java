package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.Mount;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.EventQueue;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Processes;
import io.berth.e2e.node.ShimProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Shims that are killed, and shims that stand still. */
@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class ShimFaultsIT {
    @Container
    static final Node NODE = new Node("timeouts.shim = \"2s\"");

    private static final Duration SOON = Duration.ofSeconds(20);

    private final String handler;

    ShimFaultsIT(String handler) {
        this.handler = handler;
    }

    @Test
    void aContainerWhoseShimIsKilledIsEndedAndSaysWhy() {
        try (var events = new EventQueue(NODE.cri()); PodHandle pod = NODE.pod("lost", handler)) {
            ContainerHandle other = pod.start(Configs.container("other", NODE.busybox(), "sleep", "1000"));
            ContainerHandle lost = pod.start(Configs.container("main", NODE.busybox(), "sleep", "31001"));
            ShimProcess.of(lost.id()).kill();

            ContainerStatus status = Await.until("the container has ended", SOON, lost::status,
                    now -> now.getState() == ContainerState.CONTAINER_EXITED);
            assertThat(status.getExitCode()).isEqualTo(255);
            assertThat(status.getReason()).isEqualTo("Unknown");
            assertThat(status.getMessage()).contains("shim was lost");
            assertThat(status.getFinishedAt()).isGreaterThan(status.getStartedAt());
            assertNoProcess("sleep 31001");
            assertThat(events.awaitEnd(lost.id(), SOON).getPodSandboxStatus().getId()).isEqualTo(pod.id());
            assertThat(other.sh("echo unharmed")).isEqualTo("unharmed");
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void aContainerWhoseShimIsKilledWhileTheDaemonIsAwayIsEndedAndSaysWhy() {
        try (PodHandle pod = NODE.pod("lost-away", handler)) {
            ContainerHandle lost = pod.start(Configs.container("main", NODE.busybox(), "sleep", "31002"));
            NODE.server().kill();
            ShimProcess.of(lost.id()).kill();
            NODE.server().start();

            ContainerStatus status = Await.until("the container has ended", SOON, lost::status,
                    now -> now.getState() == ContainerState.CONTAINER_EXITED);
            assertThat(status.getExitCode()).isEqualTo(255);
            assertThat(status.getMessage()).contains("shim was lost while the daemon was away");
            assertNoProcess("sleep 31002");
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void aContainerThatWasNotStartedAndLosesItsShimIsEndedAndCanBeMadeAgain() {
        try (PodHandle pod = NODE.pod("lost-early", handler)) {
            var config = Configs.container("main", NODE.busybox(), "echo", "second");
            ContainerHandle lost = pod.create(config);
            ShimProcess.of(lost.id()).kill();
            Await.until("the container has ended", SOON, lost::status,
                    now -> now.getState() == ContainerState.CONTAINER_EXITED);

            assertThatThrownBy(lost::start).hasMessageContaining("has ended without having run");
            ContainerHandle second = pod.create(config);
            assertThat(second.id()).isNotEqualTo(lost.id());
            assertThat(second.start().output()).isEqualTo("second");
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void aContainerWhoseShimIsFrozenCanBeStopped() {
        try (PodHandle pod = NODE.pod("frozen-stop", handler)) {
            ContainerHandle container = pod
                    .start(Configs.container("main", NODE.busybox(), "sleep", "31003"));
            ShimProcess.of(container.id()).freeze();
            container.stop(0);

            ContainerStatus status = container.status();
            assertThat(status.getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
            assertThat(status.getExitCode()).isEqualTo(137);
            assertThat(status.getMessage()).contains("its shim did not answer");
            assertNoProcess("sleep 31003");
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void aFrozenShimIsTakenUpByTheNextDaemonWhichServesAtOnce() throws IOException {
        try (PodHandle pod = NODE.pod("frozen-restart", handler)) {
            Path shared = Files.createTempDirectory(NODE.directory(), "shared");
            ContainerHandle frozen = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "while [ ! -e /shared/end ]; do usleep 10000; done; exit 5")
                    .addMounts(
                            Mount.newBuilder().setHostPath(shared.toString()).setContainerPath("/shared")));
            ContainerHandle other = pod.start(Configs.container("other", NODE.busybox(), "sleep", "1000"));
            ShimProcess shim = ShimProcess.of(frozen.id());
            shim.freeze();
            NODE.server().kill();
            Files.createFile(shared.resolve("end"));
            NODE.server().start();

            assertThat(frozen.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
            assertThat(other.sh("echo unharmed")).isEqualTo("unharmed");
            shim.resume();
            assertThat(frozen.awaitExit().getExitCode()).isEqualTo(5);
        }
    }

    private static void assertNoProcess(String command) {
        assertThat(Processes.commandLines())
                .noneMatch(line -> line.endsWith(command));
    }
}
