package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.PodSandboxState;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.PowerCut;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** The node restarts under its pods. */
@Testcontainers
final class RebootIT {
    @Container
    static final Node NODE = new Node();

    private static final String HANDLER = "runc";

    @AfterEach
    void sameBootAgain() {
        PowerCut.sameBootAgain();
        // A daemon that has seen the other boot would see one more.
        NODE.server().kill();
        NODE.server().start();
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void afterARestartOfTheNodeContainersHaveEndedAndPodsAreNotReadyAndCanBeRemoved() {
        PodHandle pod = NODE.pod("reboot", HANDLER);
        ContainerHandle running = pod
                .start(Configs.container("running", NODE.busybox(), "sh", "-c", "echo before; sleep 1000"));
        ContainerHandle created = pod.create(Configs.container("created", NODE.busybox(), "true"));
        ContainerHandle ended = pod.start(Configs.container("ended", NODE.busybox(), "sh", "-c", "exit 3"));
        ContainerStatus end = ended.awaitExit();
        running.awaitLog(1);
        PodHandle stopped = NODE.pod("stopped", HANDLER);
        stopped.stop();
        String address = pod.ip();

        NODE.server().kill();
        PowerCut.cut(state());
        PowerCut.loseFiles(state());
        PowerCut.anotherBoot(NODE.directory());
        NODE.server().start();

        assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        assertThat(stopped.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        assertRestarted(running);
        assertRestarted(created);
        assertThat(ended.status()).isEqualTo(end);
        assertThat(running.log()).extracting(LogLine::text).containsExactly("before");
        assertThat(NODE.network().leaseOf(address)).exists();

        try (PodHandle next = NODE.pod("next", HANDLER)) {
            assertThat(next.start(Configs.container("main", NODE.busybox(), "echo", "after")).output())
                    .isEqualTo("after");
        }
        pod.close();
        stopped.close();
        assertThat(NODE.network().leaseOf(address)).doesNotExist();
    }

    @Test
    void anotherBootEndsWhatWasThereEvenWhereTheStateDirectoryIsKept() {
        PodHandle pod = NODE.pod("kept", HANDLER);
        ContainerHandle running = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));

        NODE.server().kill();
        PowerCut.cut(state());
        PowerCut.anotherBoot(NODE.directory());
        NODE.server().start();

        assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        assertRestarted(running);
        pod.close();
    }

    @Test
    void aContainerOfAnEarlierBootIsNotTakenForOneThatRuns() {
        PodHandle pod = NODE.pod("alive", HANDLER);
        ContainerHandle running = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));

        // All is as it was but the boot: as if pids and sockets of before were found again.
        NODE.server().kill();
        PowerCut.anotherBoot(NODE.directory());
        NODE.server().start();

        assertRestarted(running);
        pod.close();
    }

    private static void assertRestarted(ContainerHandle container) {
        ContainerStatus status = container.status();
        assertThat(status.getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
        assertThat(status.getExitCode()).isEqualTo(255);
        assertThat(status.getReason()).isEqualTo("Unknown");
        assertThat(status.getMessage()).contains("node restarted");
        assertThat(status.getFinishedAt()).isGreaterThanOrEqualTo(status.getCreatedAt());
    }

    private static Path state() {
        return NODE.directory().resolve("d/state");
    }
}
