package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.PodSandboxStatusRequest;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import io.grpc.StatusRuntimeException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class StartFailuresIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    StartFailuresIT(String handler) {
        this.handler = handler;
    }

    @Test
    void aCommandThatIsNotInTheImageIsNamed() {
        try (PodHandle pod = NODE.pod("nocommand", handler)) {
            assertThatThrownBy(() -> pod.start(Configs.container("main", NODE.busybox(), "/not/there")))
                    .hasMessageContaining("/not/there");
            assertNoProcessOf(pod);
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void aContainerThatCouldNotBeMadeIsNotThereAndItsNameIsFree() {
        try (PodHandle pod = NODE.pod("again", handler)) {
            assertThatThrownBy(() -> pod.start(Configs.container("main", NODE.busybox(), "/not/there")))
                    .isInstanceOf(StatusRuntimeException.class);

            assertThat(pod.start(Configs.container("main", NODE.busybox(), "echo", "now right")).output())
                    .isEqualTo("now right");
        }
    }

    @Test
    void aCommandWithoutPermissionIsNamed() {
        try (PodHandle pod = NODE.pod("noexec", handler)) {
            assertThatThrownBy(() -> pod.start(Configs.container("main", NODE.busybox(), "/etc/passwd")))
                    .hasMessageContaining("/etc/passwd").hasMessageContaining("ermission denied");
        }
    }

    @Test
    void aMountSourceThatIsNotThereIsNamed() {
        try (PodHandle pod = NODE.pod("nomount", handler)) {
            assertThatThrownBy(() -> pod.start(Configs.container("main", NODE.busybox(), "true").addMounts(
                    Mount.newBuilder().setHostPath("/not/on/the/node").setContainerPath("/mnt"))))
                    .hasMessageContaining("/not/on/the/node");
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void anImageThatWasNotPulledIsNamed() {
        try (PodHandle pod = NODE.pod("noimage", handler)) {
            assertThatThrownBy(
                    () -> pod.create(Configs.container("main", "localhost:1/not/pulled:v1", "true")))
                    .hasMessageContaining("localhost:1/not/pulled:v1");
        }
    }

    @Test
    void aHandlerThatIsNotConfiguredIsNamedWithThoseThatAre() {
        assertThatThrownBy(() -> NODE.pod("nohandler", "kata")).hasMessageContaining("kata");
    }

    @Test
    void aPodThatIsNotThereIsNotFound() {
        assertThatThrownBy(() -> NODE.cri().runtime().podSandboxStatus(
                PodSandboxStatusRequest.newBuilder().setPodSandboxId("no-such-pod").build()))
                .hasMessageStartingWith("NOT_FOUND").hasMessageContaining("no-such-pod");
    }

    @Test
    void aContainerStartsOnceOnly() {
        try (PodHandle pod = NODE.pod("twice", handler)) {
            ContainerHandle container = pod
                    .start(Configs.container("main", NODE.busybox(), "echo", "I ran"));
            ContainerStatus ended = container.awaitExit();

            container.start();

            assertThat(container.status()).isEqualTo(ended);
            assertThat(container.log()).extracting(LogLine::text).containsExactly("I ran");
        }
    }

    @Test
    void aPodThatIsStoppedTakesNoContainer() {
        try (PodHandle pod = NODE.pod("stopped", handler)) {
            pod.stop();

            assertThatThrownBy(() -> pod.start(Configs.container("main", NODE.busybox(), "true")))
                    .isInstanceOf(StatusRuntimeException.class);
        }
    }

    private static void assertNoProcessOf(PodHandle pod) {
        assertThat(Command.run(List.of("sh", "-c",
                "cat /sys/fs/cgroup/*" + pod.config().getLinux().getCgroupParent() + "/*/cgroup.procs"))
                .output().lines()
                .filter(line -> line.matches("\\d+"))).isEmpty();
    }
}
