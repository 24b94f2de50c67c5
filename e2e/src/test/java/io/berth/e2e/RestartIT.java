package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.PodSandboxState;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class RestartIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    RestartIT(String handler) {
        this.handler = handler;
    }

    private static final int LINES = 300;

    @Test
    void containersRunLogAndAreKnownThroughAKillOfTheDaemon() throws IOException {
        try (PodHandle pod = NODE.pod("survivor", handler)) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "for i in $(seq " + LINES + "); do echo $i; usleep 10000; done; sleep 1000"));
            int before = container.awaitLog(5).size();
            ContainerStatus status = container.status();
            NODE.server().kill();
            container.awaitLog(before + 20);
            NODE.server().start();

            assertThat(container.status()).isEqualTo(status);
            assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_READY);
            assertThat(container.sh("echo $(hostname)")).isEqualTo("survivor");
            assertThat(container.awaitLog(LINES)).extracting(LogLine::text)
                    .isEqualTo(IntStream.rangeClosed(1, LINES).mapToObj(Integer::toString).toList());
            assertThat(container.stats().getMemory().getWorkingSetBytes().getValue()).isPositive();
        }
    }

    @Test
    void aContainerThatEndedMeanwhileHasItsCodeAndTime() {
        try (PodHandle pod = NODE.pod("ended", handler)) {
            ContainerHandle container = pod.start(
                    Configs.container("main", NODE.busybox(), "sh", "-c",
                            "echo last words; usleep 300000; exit 9"));
            container.awaitLog(1);
            NODE.server().kill();
            Await.until("its supervisor has written how it ended", Duration.ofSeconds(30),
                    () -> Files.exists(NODE.exitFile(container.id())), exists -> exists);
            Instant before = Instant.now();
            NODE.server().start();

            ContainerStatus status = container.status();
            assertThat(status.getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
            assertThat(status.getExitCode()).isEqualTo(9);
            assertThat(Instant.ofEpochSecond(0, status.getFinishedAt()))
                    .isBetween(Instant.ofEpochSecond(0, status.getStartedAt()), before);
            assertThat(container.log()).extracting(LogLine::text).containsExactly("last words");
        }
    }

    @Test
    void stoppedPodsAndCreatedContainersAreAsTheyWere() {
        try (PodHandle stopped = NODE.pod("was-stopped", handler);
                PodHandle pod = NODE.pod("was-created", handler)) {
            stopped.stop();
            ContainerHandle created = pod
                    .create(Configs.container("main", NODE.busybox(), "echo", "after all"));
            NODE.server().kill();
            NODE.server().start();

            assertThat(stopped.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
            assertThat(created.status().getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
            assertThat(created.start().output()).isEqualTo("after all");
        }
    }

    @Test
    void imagesAreKnownAfterAKill() {
        NODE.server().kill();
        NODE.server().start();

        try (PodHandle pod = NODE.pod("image", handler)) {
            assertThat(pod.start(Configs.container("main", NODE.busybox(), "echo", "from the same image"))
                    .output())
                    .isEqualTo("from the same image");
        }
    }

    @Test
    void aGracefulEndOfTheDaemonStopsNoContainer() {
        try (PodHandle pod = NODE.pod("graceful", handler)) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
            NODE.server().stop();
            NODE.server().start();

            assertThat(container.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        }
    }
}
