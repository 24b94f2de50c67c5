package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.HeldProgram;
import io.berth.e2e.node.Node;
import io.grpc.StatusRuntimeException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** An OCI runtime or CNI plugin that does not come to an end. */
@Testcontainers
final class HungRuntimeIT {
    private static final HeldProgram RUNC = HeldProgram.of("runc", Path.of("/usr/sbin/runc"));
    private static final HeldProgram BRIDGE = HeldProgram.of("bridge", Path.of("/usr/lib/cni/bridge"));

    @Container
    static final Node NODE = new Node("runtimes.held.path = \"" + RUNC.path() + "\"",
            "cni.bin_dirs = [\"" + BRIDGE.binDirectory() + "\", \"/usr/lib/cni\"]", "timeouts.oci = \"3s\"");

    private static final String HANDLER = "held";
    private static final Duration SOON = Duration.ofSeconds(20);

    @AfterEach
    void nothingIsLeft() {
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void aCreateThatHangsEndsAtItsDeadlineWithAllThatItStarted() {
        try (PodHandle pod = NODE.pod("create", HANDLER); PodHandle other = NODE.pod("other", "crun")) {
            try (var _ = RUNC.hold("create")) {
                assertThatThrownBy(() -> pod.create(Configs.container("main", NODE.busybox(), "true")))
                        .hasMessageStartingWith("DEADLINE_EXCEEDED").hasMessageContaining("create container");
                assertNoProcessOf(RUNC);
                assertThat(other.start(Configs.container("main", NODE.busybox(), "echo", "here")).output())
                        .isEqualTo("here");
            }
            assertThat(pod.start(Configs.container("main", NODE.busybox(), "echo", "now")).output())
                    .isEqualTo("now");
        }
    }

    @Test
    void aStartThatHangsEndsTheContainerAtItsDeadline() {
        try (PodHandle pod = NODE.pod("start", HANDLER)) {
            ContainerHandle container = pod.create(Configs.container("main", NODE.busybox(), "true"));
            try (var _ = RUNC.hold("start")) {
                assertThatThrownBy(container::start).hasMessageStartingWith("DEADLINE_EXCEEDED")
                        .hasMessageContaining("start container");
                assertNoProcessOf(RUNC);
            }
            ContainerStatus status = container.status();
            assertThat(status.getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
            assertThat(status.getReason()).isEqualTo("StartError");
            assertThat(container.log()).isEmpty();
        }
    }

    @Test
    void anExecThatHangsHarmsNoOther() {
        try (PodHandle pod = NODE.pod("exec", HANDLER)) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
            try (var _ = RUNC.hold("exec")) {
                assertThatThrownBy(() -> container.exec(1, "true"))
                        .hasMessageStartingWith("DEADLINE_EXCEEDED");
                assertThat(container.stats().getMemory().getWorkingSetBytes().getValue()).isPositive();
                assertThat(container.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
            }
            assertThat(container.sh("echo again")).isEqualTo("again");
        }
    }

    @Test
    void aDeleteThatHangsDelaysOnlyTheRemoval() {
        try (PodHandle pod = NODE.pod("delete", HANDLER)) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
            try (var _ = RUNC.hold("delete")) {
                container.stop(0);
                assertThat(container.status().getExitCode()).isEqualTo(137);
                assertThatThrownBy(container::remove).isInstanceOf(StatusRuntimeException.class)
                        .hasMessageStartingWith("DEADLINE_EXCEEDED").hasMessageContaining("delete");
            }
            container.remove();
        }
    }

    @Test
    void aDaemonThatEndsDuringACreateThatHangsLeavesNothing() throws InterruptedException {
        try (PodHandle pod = NODE.pod("killed", HANDLER)) {
            try (var _ = RUNC.hold("create")) {
                long before = RUNC.calls("create");
                Thread caller = failing(() -> pod.create(Configs.container("main", NODE.busybox(), "true")));
                Await.until("create has begun", SOON, () -> RUNC.calls("create"), calls -> calls > before);
                NODE.server().kill();
                NODE.server().start();
                caller.join();

                Await.until("the create is undone", SOON, () -> processesOf(RUNC), count -> count == 0);
                assertThat(NODE.cri().runtime().listContainers(ListContainersRequest.getDefaultInstance())
                        .getContainersList()).isEmpty();
            }
            assertThat(pod.start(Configs.container("main", NODE.busybox(), "echo", "now")).output())
                    .isEqualTo("now");
        }
    }

    @Test
    void aDaemonThatEndsDuringAnAddThatHangsLeavesNothing() throws InterruptedException {
        try (var _ = BRIDGE.hold("ADD")) {
            long before = BRIDGE.calls("ADD");
            Thread caller = failing(() -> NODE.pod("killed-add", HANDLER));
            Await.until("ADD has begun", SOON, () -> BRIDGE.calls("ADD"), calls -> calls > before);
            NODE.server().kill();
            NODE.server().start();
            caller.join();

            Await.until("the ADD has ended", SOON, () -> processesOf(BRIDGE), count -> count == 0);
        }
        assertThat(NODE.cri().runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                .getItemsList()).isEmpty();
    }

    @Test
    void aDaemonThatEndsDuringAStartThatHangsFinishesIt() throws InterruptedException {
        try (PodHandle pod = NODE.pod("killed-start", HANDLER)) {
            ContainerHandle container = pod
                    .create(Configs.container("main", NODE.busybox(), "echo", "I ran"));
            try (var _ = RUNC.hold("start")) {
                long before = RUNC.calls("start");
                Thread caller = failing(container::start);
                Await.until("start has begun", SOON, () -> RUNC.calls("start"), calls -> calls > before);
                NODE.server().kill();
                NODE.server().start();
                caller.join();
            }
            container.start();

            assertThat(container.output()).isEqualTo("I ran");
            assertThat(container.status().getReason()).isEqualTo("Completed");
        }
    }

    private static Thread failing(Runnable call) {
        return Thread.ofVirtual().start(() -> assertThatThrownBy(call::run)
                .isInstanceOf(StatusRuntimeException.class));
    }

    private static void assertNoProcessOf(HeldProgram program) {
        Await.until("no process of " + program.path() + " is left", SOON, () -> processesOf(program),
                count -> count == 0);
    }

    private static long processesOf(HeldProgram program) {
        return ProcessHandle.allProcesses().filter(process -> process.info().commandLine().orElse("")
                .contains(program.path().toString())
                && !process.info().command().orElse("").endsWith("/java"))
                .count();
    }
}
