package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.Int64Value;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Processes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class ContainerProcessIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    ContainerProcessIT(String handler) {
        this.handler = handler;
    }

    @Test
    void environmentOfTheRequestComesOverThatOfTheImage() {
        String image = NODE.pull("process-env",
                TestImage.builder().layer(Busybox.layer()).env("OF_IMAGE=kept")
                        .env("OVERRIDDEN=by image").build());
        String seen = run(Configs.container("env", image, "env")
                .addEnvs(Configs.env("OVERRIDDEN", "by request"))
                .addEnvs(Configs.env("EMPTY", "")));

        assertThat(seen.lines()).contains("OF_IMAGE=kept", "OVERRIDDEN=by request", "EMPTY=")
                .doesNotContain("OVERRIDDEN=by image");
    }

    @Test
    void commandAndArgumentsTakeThePlaceOfTheImages() {
        String image = NODE.pull("process-command", TestImage.builder().layer(Busybox.layer())
                .config(config -> config.putArray("Entrypoint").add("echo").add("entrypoint"))
                .config(config -> config.putArray("Cmd").add("cmd")).build());

        assertThat(run(Configs.container("neither", image))).isEqualTo("entrypoint cmd");
        assertThat(run(Configs.container("args", image).addArgs("args"))).isEqualTo("entrypoint args");
        assertThat(run(Configs.container("command", image, "echo", "command"))).isEqualTo("command");
        assertThat(run(Configs.container("both", image, "echo", "command").addArgs("args")))
                .isEqualTo("command args");
    }

    @Test
    void theWorkingDirectoryIsTheRequestsOrTheImagesAndIsMade() {
        String image = NODE.pull("process-directory", TestImage.builder().layer(Busybox.layer())
                .config(config -> config.put("WorkingDir", "/var")).build());

        assertThat(run(Configs.container("image", image, "pwd"))).isEqualTo("/var");
        assertThat(run(Configs.container("request", image, "pwd").setWorkingDir("/not/there/yet")))
                .isEqualTo("/not/there/yet");
    }

    @Test
    void aUserByNumberHasTheGroupsAndTheHomeOfItsEntry() {
        ContainerConfig.Builder container = Configs.container("uid", NODE.busybox(), "sh", "-c",
                "id; echo $HOME");
        container.getLinuxBuilder().getSecurityContextBuilder()
                .setRunAsUser(Int64Value.newBuilder().setValue(1000));

        assertThat(run(container).lines().toList()).first().asString()
                .startsWith("uid=1000(app) gid=1001(app)").contains("63(audio)").contains("50(staff)");
    }

    @Test
    void aUserByNameAndAGroupByNumberAndFurtherGroups() {
        ContainerConfig.Builder container = Configs.container("name", NODE.busybox(), "id");
        container.getLinuxBuilder().getSecurityContextBuilder().setRunAsUsername("app")
                .setRunAsGroup(Int64Value.newBuilder().setValue(50)).addSupplementalGroups(4242);

        assertThat(run(container)).startsWith("uid=1000(app) gid=50(staff)").contains("4242");
    }

    @Test
    void theUserOfTheImageIsTheDefault() {
        String image = NODE.pull("process-user", TestImage.builder().layer(Busybox.layer())
                .config(config -> config.put("User", "app:staff")).build());

        assertThat(run(Configs.container("user", image, "id"))).startsWith("uid=1000(app) gid=50(staff)");
    }

    @Test
    void aUserThatTheImageDoesNotKnowIsRefusedByName() {
        try (PodHandle pod = NODE.pod("nouser", handler)) {
            ContainerConfig.Builder container = Configs.container("nouser", NODE.busybox(), "id");
            container.getLinuxBuilder().getSecurityContextBuilder().setRunAsUsername("nobody-here");

            assertThatThrownBy(() -> pod.start(container)).hasMessageContaining("nobody-here");
        }
    }

    @Test
    void exitCodesAndTimesAreThoseOfTheProcess() {
        try (PodHandle pod = NODE.pod("exit", handler)) {
            ContainerStatus status = pod
                    .start(Configs.container("three", NODE.busybox(), "sh", "-c", "exit 3"))
                    .awaitExit();
            ContainerStatus good = pod.start(Configs.container("zero", NODE.busybox(), "true")).awaitExit();

            assertThat(status.getExitCode()).isEqualTo(3);
            assertThat(status.getReason()).isEqualTo("Error");
            assertThat(good.getExitCode()).isZero();
            assertThat(good.getReason()).isEqualTo("Completed");
            assertThat(good.getCreatedAt()).isPositive().isLessThanOrEqualTo(good.getStartedAt());
            assertThat(good.getStartedAt()).isLessThanOrEqualTo(good.getFinishedAt());
        }
    }

    @Test
    void aProcessThatASignalEndsHasThatSignalIn128Plus() {
        try (PodHandle pod = NODE.pod("signal", handler)) {
            ContainerHandle container = pod
                    .start(Configs.container("killed", NODE.busybox(), "sleep", "4711"));
            Processes.await("sleep 4711").destroyForcibly();

            assertThat(container.awaitExit().getExitCode()).isEqualTo(137);
        }
    }

    @Test
    void aTerminalIsATerminal() {
        ContainerConfig.Builder container = Configs.container("tty", NODE.busybox(), "sh", "-c",
                "tty; test -t 0 && test -t 1 && test -t 2 && echo all; echo $TERM").setTty(true)
                .setStdin(true);

        assertThat(run(container).lines().map(String::strip)).contains("/dev/pts/0", "all", "xterm");
    }

    @Test
    void withoutStdinInputIsAtItsEndAndWithItIsOpen() {
        try (PodHandle pod = NODE.pod("stdin", handler)) {
            ContainerHandle closed = pod.start(Configs.container("closed", NODE.busybox(), "cat"));
            ContainerHandle open = pod.start(Configs.container("open", NODE.busybox(), "cat").setStdin(true));

            assertThat(closed.awaitExit().getExitCode()).isZero();
            assertThat(open.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        }
    }

    @Test
    void deviceNodesAndTheUsualMountsAreThere() {
        try (PodHandle pod = NODE.pod("devices", handler)) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));

            assertThat(container
                    .sh("for d in null zero full random urandom tty; do test -c /dev/$d || echo $d; done"))
                    .isEmpty();
            assertThat(container.sh("cut -d' ' -f2 /proc/mounts").lines())
                    .contains("/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue",
                            "/sys/fs/cgroup");
            assertThat(container.sh("echo discarded > /dev/null; head -c 3 /dev/zero | wc -c"))
                    .isEqualTo("3");
        }
    }

    /** What a container prints that runs to its end with 0. */
    private String run(ContainerConfig.Builder container) {
        try (PodHandle pod = NODE.pod("process", handler)) {
            ContainerHandle started = pod.start(container);
            String output = started.output();
            assertThat(started.status().getExitCode()).as(output).isZero();
            return output;
        }
    }
}
