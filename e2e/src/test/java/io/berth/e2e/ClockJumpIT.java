package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ExecRequest;
import io.berth.cri.v1.ExecSyncResponse;
import io.berth.e2e.cri.Channels;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.EventQueue;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** The node's clock is set while pods run. */
@NeedsFeature(NodeFeature.OWN_CLOCK)
@Testcontainers
@ParameterizedClass
@ValueSource(ints = {1, -1})
final class ClockJumpIT {
    @Container
    static final Node NODE = new Node();

    private static final String HANDLER = "runc";
    private static final String V5 = "v5.channel.k8s.io";
    private static final Duration LIMIT = Duration.ofMinutes(2);
    /** By these the clock is set right again. */
    private final Instant start = Instant.now();
    private final long startNanos = System.nanoTime();
    private final int days;

    ClockJumpIT(int days) {
        this.days = days;
    }

    @AfterEach
    void setTheClockRight() {
        set(now());
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void runningContainersAreAsBeforeAndTakeCommandsLogAndAreMeasured() {
        try (PodHandle pod = NODE.pod("running", HANDLER)) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "i=0; while true; do i=$((i + 1)); echo $i; usleep 50000; done"));
            int before = container.awaitLog(5).size();
            ContainerStatus status = container.status();
            long processorTime = container.stats().getCpu().getUsageCoreNanoSeconds().getValue();
            jump();

            assertThat(container.status()).isEqualTo(status);
            assertThat(container.sh("echo here")).isEqualTo("here");
            assertThat(container.stats().getCpu().getUsageCoreNanoSeconds().getValue())
                    .isGreaterThanOrEqualTo(processorTime);
            assertThat(container.stats().getMemory().getWorkingSetBytes().getValue()).isPositive();
            List<LogLine> log = container.awaitLog(before + 20);
            assertThat(log).extracting(LogLine::text).isEqualTo(
                    Configs.counted(log.size()));
            assertThat(log).extracting(LogLine::time).as("times of lines never go back").isSorted();
        }
    }

    @Test
    void aGracePeriodIsAsLongAsItSays() {
        try (PodHandle pod = NODE.pod("grace", HANDLER)) {
            Duration grace = Duration.ofSeconds(8);
            // PID 1 without a handler does not hear SIGTERM.
            ContainerHandle deaf = pod.start(Configs.container("deaf", NODE.busybox(), "sleep", "1000"));
            long began = System.nanoTime();
            var stop = CompletableFuture.runAsync(() -> deaf.stop(grace.toSeconds()));
            sleep(Duration.ofSeconds(2));
            jump();
            stop.join();

            assertThat(since(began)).isBetween(grace.minusMillis(200), LIMIT);
            assertThat(deaf.status().getExitCode()).isEqualTo(137);
            ContainerHandle graceful = pod.start(Configs.container("graceful", NODE.busybox(), "sh", "-c",
                    "trap 'usleep 500000; exit 7' TERM; echo ready; while true; do usleep 20000; done"));
            graceful.awaitLog(1);
            graceful.stop(60);
            assertThat(graceful.status().getExitCode()).isEqualTo(7);
        }
    }

    @Test
    void aCommandsTimeoutIsAsLongAsItSays() {
        try (PodHandle pod = NODE.pod("timeout", HANDLER)) {
            ContainerHandle container = pod.start(idle());
            var patient = CompletableFuture.supplyAsync(
                    () -> container.exec(LIMIT.toSeconds(), "sh", "-c", "sleep 6; echo done"));
            long began = System.nanoTime();
            var impatient = CompletableFuture.supplyAsync(() -> container.exec(5, "sleep", "1000"));
            sleep(Duration.ofSeconds(2));
            jump();

            assertThatThrownBy(impatient::join).hasMessageContaining("DEADLINE_EXCEEDED");
            assertThat(since(began)).isBetween(Duration.ofMillis(4800), LIMIT);
            assertThat(patient.join()).extracting(ExecSyncResponse::getExitCode).isEqualTo(0);
        }
    }

    @Test
    void streamsGoOnAndTheirUrlsStayGood() {
        try (PodHandle pod = NODE.pod("streams", HANDLER)) {
            ContainerHandle container = pod.start(idle());
            String later = url(container, "echo", "later");
            try (Channels cat = Channels.connect(url(container, "cat"), V5)) {
                cat.send(0, "before\n");
                cat.await(1, "before\n");
                jump();
                cat.send(0, "after\n");
                cat.await(1, "before\nafter\n");
                cat.end(0);
                assertThat(cat.awaitEnd(3)).contains("Success");
            }
            try (Channels echo = Channels.connect(later, V5)) {
                assertThat(echo.awaitEnd(3)).contains("Success");
                assertThat(echo.text(1)).isEqualTo("later\n");
            }
        }
    }

    @Test
    void aContainersTimesAreInOrder() {
        try (var events = new EventQueue(NODE.cri()); PodHandle pod = NODE.pod("order", HANDLER)) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "while [ ! -e /end ]; do usleep 20000; done; exit 5"));
            jump();
            container.sh("touch /end");

            ContainerStatus status = container.awaitExit();
            assertThat(status.getExitCode()).isEqualTo(5);
            assertThat(status.getStartedAt()).isGreaterThanOrEqualTo(status.getCreatedAt());
            assertThat(status.getFinishedAt()).isGreaterThanOrEqualTo(status.getStartedAt());
            assertThat(events.awaitEnd(container.id(), LIMIT).getContainersStatuses(0).getExitCode())
                    .isEqualTo(5);
        }
    }

    @Test
    void aDaemonThatStartsAfterwardsKnowsItsContainersAndImages() {
        try (PodHandle pod = NODE.pod("restart", HANDLER)) {
            ContainerHandle running = pod.start(idle());
            ContainerHandle ends = pod.start(Configs.container("ends", NODE.busybox(), "sh", "-c",
                    "while [ ! -e /end ]; do usleep 20000; done; exit 6"));
            ContainerStatus status = running.status();
            ends.sh("(sleep 4; touch /end) >/dev/null 2>&1 &");
            NODE.server().kill();
            jump();
            NODE.server().start();

            assertThat(running.status()).isEqualTo(status);
            assertThat(running.sh("echo here")).isEqualTo("here");
            assertThat(ends.awaitExit().getExitCode()).isEqualTo(6);
            assertThat(ends.status().getFinishedAt()).isGreaterThanOrEqualTo(ends.status().getStartedAt());
        }
    }

    @Test
    void imagesArePulledAndPodsRunAfterwards() {
        jump();
        String image = NODE.pull("jump" + (days > 0 ? "-ahead" : "-back"), TestImage.builder()
                .layer(Busybox.layer()).env("DAYS=" + days).build());
        try (PodHandle pod = NODE.pod("new", HANDLER)) {
            ContainerHandle container = pod.start(Configs.container("main", image, "sh", "-c", "echo $DAYS"));
            assertThat(container.output()).isEqualTo(Integer.toString(days));
            assertThat(container.status().getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
            assertThat(Instant.ofEpochSecond(0, container.status().getCreatedAt()))
                    .isBetween(now().plus(Duration.ofDays(days)).minus(LIMIT),
                            now().plus(Duration.ofDays(days)).plus(LIMIT));
        }
    }

    private void jump() {
        set(now().plus(Duration.ofDays(days)));
    }

    /** What the clock would say had nobody set it. */
    private Instant now() {
        return start.plusNanos(System.nanoTime() - startNanos);
    }

    private static void set(Instant time) {
        Command.output("date", "--set", "@" + time.getEpochSecond() + "." + "%09d".formatted(time.getNano()));
    }

    private static String url(ContainerHandle container, String... command) {
        return NODE.cri().runtime().exec(ExecRequest.newBuilder().setContainerId(container.id())
                .addAllCmd(List.of(command)).setStdin(true).setStdout(true).build()).getUrl();
    }

    private static Duration since(long nanos) {
        return Duration.ofNanos(System.nanoTime() - nanos);
    }

    private static void sleep(Duration time) {
        try {
            Thread.sleep(time);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static ContainerConfig.Builder idle() {
        return Configs.container("main", NODE.busybox(), "sleep", "1000");
    }
}
