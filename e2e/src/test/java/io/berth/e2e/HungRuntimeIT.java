package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ListContainerStatsRequest;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.EventQueue;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.HeldProgram;
import io.berth.e2e.node.Node;
import io.grpc.StatusRuntimeException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** An OCI runtime that does not come to an end; {@link BadNetworkIT} has the plugins. */
@Testcontainers
final class HungRuntimeIT {
    private static final String HANDLER = "held";
    private static final HeldProgram RUNC = HeldProgram.of("runc", Path.of("/usr/sbin/runc"));

    @Container
    static final Node NODE = new Node(RUNC.asRuntime(HANDLER), "timeouts.oci = \"10s\"");

    private static final Duration SOON = Duration.ofSeconds(20);

    @AfterEach
    void nothingIsLeft() {
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void aCreateThatHangsEndsAtItsDeadlineWithAllThatItStarted() {
        try (PodHandle pod = NODE.pod("create", HANDLER)) {
            try (var _ = RUNC.hold("create")) {
                var hanging = CompletableFuture
                        .supplyAsync(() -> pod.create(Configs.container("main", NODE.busybox(), "true")));
                Await.until("create hangs", SOON, RUNC::processes, count -> count > 0);
                assertOthersAreServed();
                assertThat(hanging).as("the create hung meanwhile").isNotDone();

                assertThatThrownBy(hanging::join).hasMessageContaining("DEADLINE_EXCEEDED")
                        .hasMessageContaining("create container");
                assertNoProcessOf(RUNC);
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

    /** Another container's life, lists, stats and events. */
    private static void assertOthersAreServed() {
        try (var events = new EventQueue(NODE.cri()); PodHandle other = NODE.pod("other", "crun")) {
            ContainerHandle container = other
                    .start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
            assertThat(container.sh("echo here")).isEqualTo("here");
            assertThat(NODE.cri().runtime().listContainers(ListContainersRequest.getDefaultInstance())
                    .getContainersList()).extracting(io.berth.cri.v1.Container::getId)
                    .containsExactly(container.id());
            assertThat(NODE.cri().runtime()
                    .listContainerStats(ListContainerStatsRequest.getDefaultInstance()).getStatsCount())
                    .isEqualTo(1);
            container.stop(0);
            events.awaitEnd(container.id(), SOON);
        }
    }

    private static void assertNoProcessOf(HeldProgram program) {
        Await.until("no process of " + program.path() + " is left", SOON, program::processes,
                count -> count == 0);
    }
}
