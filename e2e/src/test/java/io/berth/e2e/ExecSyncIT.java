package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ExecSyncResponse;
import io.berth.cri.v1.Int64Value;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Processes;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.List;
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
final class ExecSyncIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    ExecSyncIT(String handler) {
        this.handler = handler;
    }

    @Test
    void outputErrorsAndCodeAreKeptApart() {
        try (PodHandle pod = NODE.pod("exec", handler)) {
            ExecSyncResponse response = pod.start(idle()).exec(0, "sh", "-c",
                    "echo out; echo err >&2; exit 7");

            assertThat(response.getStdout().toStringUtf8()).isEqualTo("out\n");
            assertThat(response.getStderr().toStringUtf8()).isEqualTo("err\n");
            assertThat(response.getExitCode()).isEqualTo(7);
        }
    }

    @Test
    void aCommandRunsAsTheContainersProcessDoes() {
        ContainerConfig.Builder config = idle().setWorkingDir("/var")
                .addEnvs(Configs.env("COLOR", "blue"));
        config.getLinuxBuilder().getSecurityContextBuilder()
                .setRunAsUser(Int64Value.newBuilder().setValue(1000))
                .setNoNewPrivs(true);
        try (PodHandle pod = NODE.pod("execas", handler)) {
            ContainerHandle container = pod.start(config);

            assertThat(container.sh("id -u; pwd; echo $COLOR; grep NoNewPrivs /proc/self/status | cut -f2;"
                    + " grep -w Seccomp /proc/self/status | cut -f2").lines())
                    .containsExactly("1000", "/var", "blue", "1", "2");
            assertThat(container.sh("cat /proc/self/cgroup")).isEqualTo(container.sh("cat /proc/1/cgroup"));
        }
    }

    @Test
    void largeOutputArrivesWhole() {
        int bytes = 1 << 20;
        try (PodHandle pod = NODE.pod("execlarge", handler)) {
            ExecSyncResponse response = pod.start(idle()).exec(0, "head", "-c", Integer.toString(bytes),
                    "/dev/zero");

            assertThat(response.getStdout().size()).isEqualTo(bytes);
        }
    }

    @Test
    void aCommandThatIsTooSlowIsEndedAndReported() {
        try (PodHandle pod = NODE.pod("execslow", handler)) {
            ContainerHandle container = pod.start(idle());

            assertThatThrownBy(() -> container.exec(1, "sh", "-c", "sleep 4242 & sleep 4242"))
                    .isInstanceOf(StatusRuntimeException.class).hasMessageStartingWith("DEADLINE_EXCEEDED");
            Await.until("nothing of the command runs", Duration.ofSeconds(10),
                    () -> Processes.commandLines().stream().filter(line -> line.endsWith("sleep 4242"))
                            .toList(),
                    List::isEmpty);
        }
    }

    @Test
    void aCommandThatIsNotThereIsNamed() {
        try (PodHandle pod = NODE.pod("execmissing", handler)) {
            ContainerHandle container = pod.start(idle());

            String said;
            try {
                ExecSyncResponse response = container.exec(0, "/not/there");
                assertThat(response.getExitCode()).isIn(126, 127);
                said = response.getStderr().toStringUtf8() + response.getStdout().toStringUtf8();
            } catch (StatusRuntimeException e) {
                said = e.getMessage();
            }
            assertThat(said).contains("/not/there");
        }
    }

    @Test
    void aContainerThatHasEndedTakesNoCommand() {
        try (PodHandle pod = NODE.pod("execended", handler)) {
            ContainerHandle container = pod.start(Configs.container("ended", NODE.busybox(), "true"));
            container.awaitExit();

            assertThatThrownBy(() -> container.exec(0, "true")).isInstanceOf(StatusRuntimeException.class);
        }
    }

    @Test
    void manyCommandsRunAtTheSameTime() throws Exception {
        try (PodHandle pod = NODE.pod("execmany", handler);
                var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            ContainerHandle container = pod.start(idle());
            List<Callable<String>> calls = IntStream.range(0, 20)
                    .<Callable<String>>mapToObj(i -> () -> container.sh("echo " + i)).toList();

            var answers = threads.invokeAll(calls);

            for (int i = 0; i < answers.size(); i++) {
                assertThat(answers.get(i).get()).isEqualTo(Integer.toString(i));
            }
        }
    }

    private static ContainerConfig.Builder idle() {
        return Configs.container("main", NODE.busybox(), "sleep", "1000");
    }
}
