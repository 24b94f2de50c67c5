package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** A daemon is killed while an OCI runtime or CNI plugin works for it and does not come to an end. */
@Testcontainers
final class HalfDoneIT {
    private static final String HANDLER = "held";
    private static final HeldProgram RUNC = HeldProgram.of("runc", Path.of("/usr/sbin/runc"));
    private static final HeldProgram BRIDGE = HeldProgram.of("bridge", Path.of("/usr/lib/cni/bridge"));

    @Container
    static final Node NODE = new Node(RUNC.asRuntime(HANDLER), BRIDGE.asPlugin());

    private static final Duration SOON = Duration.ofSeconds(40);

    @AfterEach
    void nothingIsLeft() {
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void aDaemonThatEndsDuringACreateThatHangsLeavesNothing() {
        try (PodHandle pod = NODE.pod("killed", HANDLER)) {
            try (var _ = RUNC.hold("create")) {
                long before = RUNC.calls("create");
                CompletableFuture<Void> caller = failing(
                        () -> pod.create(Configs.container("main", NODE.busybox(), "true")));
                Await.until("create has begun", SOON, () -> RUNC.calls("create"), calls -> calls > before);
                NODE.server().kill();
                NODE.server().start();
                caller.join();

                Await.until("the create is undone", SOON, RUNC::processes, count -> count == 0);
                assertThat(NODE.cri().runtime().listContainers(ListContainersRequest.getDefaultInstance())
                        .getContainersList()).isEmpty();
            }
            assertThat(pod.start(Configs.container("main", NODE.busybox(), "echo", "now")).output())
                    .isEqualTo("now");
        }
    }

    @Test
    void aDaemonThatEndsDuringAnAddThatHangsLeavesNothing() {
        try (var _ = BRIDGE.hold("ADD")) {
            long before = BRIDGE.calls("ADD");
            CompletableFuture<Void> caller = failing(() -> NODE.pod("killed-add", HANDLER));
            Await.until("ADD has begun", SOON, () -> BRIDGE.calls("ADD"), calls -> calls > before);
            NODE.server().kill();
            NODE.server().start();
            caller.join();

            Await.until("the ADD has ended", SOON, BRIDGE::processes, count -> count == 0);
        }
        assertThat(NODE.cri().runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                .getItemsList()).isEmpty();
    }

    @Test
    void aDaemonThatEndsDuringAStartThatHangsFinishesIt() {
        try (PodHandle pod = NODE.pod("killed-start", HANDLER)) {
            ContainerHandle container = pod
                    .create(Configs.container("main", NODE.busybox(), "echo", "I ran"));
            try (var _ = RUNC.hold("start")) {
                long before = RUNC.calls("start");
                CompletableFuture<Void> caller = failing(container::start);
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

    /** A call that must fail, as its daemon ends. */
    private static CompletableFuture<Void> failing(Runnable call) {
        return CompletableFuture.runAsync(() -> assertThatThrownBy(call::run)
                .isInstanceOf(StatusRuntimeException.class));
    }
}
