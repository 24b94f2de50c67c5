package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerFilter;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.Signal;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.cri.v1.PodSandboxState;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Processes;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class StopIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    StopIT(String handler) {
        this.handler = handler;
    }

    @Test
    void aProcessThatHearsTheSignalEndsInItsOwnWay() {
        try (PodHandle pod = NODE.pod("graceful", handler)) {
            ContainerHandle container = pod.start(trapping("TERM"));
            container.awaitLog(1);
            long before = System.nanoTime();
            container.stop(30);

            assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofSeconds(15));
            assertThat(container.status().getExitCode()).isEqualTo(7);
            assertThat(container.output()).isEqualTo("ready\nheard TERM");
        }
    }

    @Test
    void theStopSignalOfTheRequestGoesBeforeThatOfTheImageAndIsReported() {
        String image = NODE.pull("stop-signals", TestImage.builder().layer(Busybox.layer())
                .config(config -> config.put("StopSignal", "SIGUSR1")).build());
        try (PodHandle pod = NODE.pod("requestsignal", handler)) {
            ContainerHandle container = pod.start(trapping("USR2").setStopSignal(Signal.SIGNAL_SIGUSR2)
                    .setImage(ImageSpec.newBuilder().setImage(image)));
            container.awaitLog(1);
            assertThat(container.status().getStopSignal()).isEqualTo(Signal.SIGNAL_SIGUSR2);
            container.stop(30);

            assertThat(container.output()).isEqualTo("ready\nheard USR2");
        }
    }

    @Test
    void theStopSignalOfTheImageIsSent() {
        String image = NODE.pull("stop-signal", TestImage.builder().layer(Busybox.layer())
                .config(config -> config.put("StopSignal", "SIGUSR1")).build());
        try (PodHandle pod = NODE.pod("imagesignal", handler)) {
            ContainerHandle container = pod
                    .start(trapping("USR1").setImage(ImageSpec.newBuilder().setImage(image)));
            container.awaitLog(1);
            container.stop(30);

            assertThat(container.output()).isEqualTo("ready\nheard USR1");
        }
    }

    @Test
    void aProcessThatIgnoresTheSignalIsKilledAfterItsGrace() {
        try (PodHandle pod = NODE.pod("deaf", handler)) {
            // PID 1 without a handler does not hear SIGTERM.
            ContainerHandle container = pod.start(Configs.container("deaf", NODE.busybox(), "sleep", "1000"));
            long before = System.nanoTime();
            container.stop(1);

            assertThat(Duration.ofNanos(System.nanoTime() - before)).isBetween(Duration.ofMillis(900),
                    Duration.ofSeconds(10));
            ContainerStatus status = container.status();
            assertThat(status.getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
            assertThat(status.getExitCode()).isEqualTo(137);
        }
    }

    @Test
    void stoppingAPodEndsAllItsContainers() {
        try (PodHandle pod = NODE.pod("stoppod", handler)) {
            List<ContainerHandle> containers = List.of(pod.start(trapping("TERM")),
                    pod.start(Configs.container("deaf", NODE.busybox(), "sleep", "1000")));

            pod.stop();

            assertThat(containers).allSatisfy(
                    container -> assertThat(container.status().getState())
                            .isEqualTo(ContainerState.CONTAINER_EXITED));
            assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        }
    }

    @Test
    void processesThatTheContainerLeftBehindEndWithIt() {
        try (PodHandle pod = NODE.pod("orphans", handler)) {
            ContainerHandle container = pod.start(
                    Configs.container("main", NODE.busybox(), "sh", "-c", "(sleep 31337 &) ; sleep 1"));
            container.awaitExit();

            assertThat(Processes.commandLines())
                    .noneMatch(line -> line.endsWith("sleep 31337"));
        }
    }

    @Test
    void removingAPodRemovesItsContainersAndTheirLogsStay() {
        PodHandle pod = NODE.pod("removed", handler);
        ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "echo", "kept"));
        container.awaitExit();
        pod.close();

        assertThat(NODE.cri().runtime().listContainers(ListContainersRequest.newBuilder().setFilter(
                ContainerFilter.newBuilder().setPodSandboxId(pod.id())).build()).getContainersList())
                .isEmpty();
        assertThat(container.log()).extracting(LogLine::text).containsExactly("kept");
    }

    private static ContainerConfig.Builder trapping(String signal) {
        return Configs.container("trapping", NODE.busybox(), "sh", "-c",
                "trap 'echo heard " + signal + "; exit 7' " + signal
                        + "; echo ready; while true; do usleep 20000; done");
    }
}
