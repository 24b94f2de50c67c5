package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ListContainerStatsRequest;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.PodSandbox;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.cri.PodLife;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Processes;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/**
 * The daemon is killed at random moments while pods come and go. {@code -De2e.kills=N} says how often (default 6),
 * {@code -De2e.seed=N} repeats a run's moments.
 */
@Testcontainers
final class DaemonKillIT {
    @Container
    static final Node NODE = new Node();

    private static final int KILLS = Integer.getInteger("e2e.kills", 6);
    private static final long SEED = Long.getLong("e2e.seed", System.nanoTime());
    private static final int WORKERS = 3;
    private static final int EXIT_CODE = 7;
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final boolean V2 = NodeFeature.CGROUP_V2.isPresent();
    private static final Path MEMORY = Path.of("/sys/fs/cgroup", V2 ? "" : "memory");
    private static final List<String> HANDLERS = List.of("runc", "crun");

    private final AtomicBoolean ending = new AtomicBoolean();
    private final AtomicInteger lives = new AtomicInteger();
    private final ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();

    /** A container that counts into its log, and its process as the node sees it. */
    private record Counter(PodHandle pod, ContainerHandle container, ProcessHandle process, Instant began,
            ContainerStatus status) {}

    @Test
    void killedAtRandomMomentsTheDaemonLosesNothing() throws Exception {
        var random = new Random(SEED);
        List<Counter> counters = new ArrayList<>();
        for (String handler : HANDLERS) {
            counters.add(counter(handler));
        }
        ExecutorService workers = Executors.newVirtualThreadPerTaskExecutor();
        for (int i = 0; i < WORKERS; i++) {
            String handler = HANDLERS.get(i % HANDLERS.size());
            workers.execute(() -> leadLives(handler));
        }
        try {
            for (int i = 0; i < KILLS && failures.isEmpty(); i++) {
                Thread.sleep(100 + random.nextInt(900));
                killWhileAContainerEnds(random, HANDLERS.get(i % HANDLERS.size()));
                counters.forEach(DaemonKillIT::assertUnnoticed);
            }
        } finally {
            ending.set(true);
            workers.shutdown();
            workers.awaitTermination(5, TimeUnit.MINUTES);
        }

        assertThat(failures).as("pods that came and went, seed %d", SEED).isEmpty();
        assertThat(lives.get()).as("pods led from run to removal").isGreaterThanOrEqualTo(WORKERS);
        counters.forEach(DaemonKillIT::assertCountedOn);
        assertThat(NODE.cri().runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                .getItemsList())
                .extracting(PodSandbox::getId)
                .containsExactlyInAnyOrderElementsOf(
                        counters.stream().map(counter -> counter.pod().id()).toList());
        assertThat(NODE.cri().runtime().listContainers(ListContainersRequest.getDefaultInstance())
                .getContainersList()).hasSize(counters.size());
        // What is left of half-done creates is found by Node.stop().
        counters.forEach(counter -> counter.pod().close());
    }

    @Test
    void killedByTheKernelForMemoryItLosesNothing() throws IOException {
        Counter counter = counter("crun");
        Path cgroup = Files.createDirectory(MEMORY.resolve("berth-e2e-" + NODE.server().pid()));
        try (PodHandle pod = run("runc")) {
            ContainerHandle ends = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "while [ ! -e /stop ]; do usleep 20000; done; exit " + EXIT_CODE));
            ProcessHandle daemon = ProcessHandle.of(NODE.server().pid()).orElseThrow();
            // What it has was charged elsewhere; the next page that it asks for is more than it may have here.
            Files.writeString(cgroup.resolve(V2 ? "memory.max" : "memory.limit_in_bytes"), "4096");
            Files.writeString(cgroup.resolve("cgroup.procs"), Long.toString(daemon.pid()));
            Await.until("the kernel kills the daemon", PATIENCE, () -> {
                askForMuch();
                return daemon.isAlive();
            }, alive -> !alive);
            assertThat(Files.readString(cgroup.resolve(V2 ? "memory.events" : "memory.oom_control")))
                    .contains("oom_kill 1");
            NODE.server().kill();
            NODE.server().start();

            assertUnnoticed(counter);
            assertThat(ends.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
            ends.sh("touch /stop");
            assertThat(ends.awaitExit().getExitCode()).isEqualTo(EXIT_CODE);
            assertCountedOn(counter);
        } finally {
            counter.pod().close();
            Files.delete(cgroup);
        }
    }

    private static void askForMuch() {
        try (Cri cri = Cri.connect(NODE.server().socket())) {
            cri.runtime(Duration.ofSeconds(2))
                    .listContainerStats(ListContainerStatsRequest.getDefaultInstance());
        } catch (StatusRuntimeException e) {
            // It is what ends the daemon: whether it answers before does not matter.
        }
    }

    private void leadLives(String handler) {
        // A connection of its own: what fails on it while there is no daemon keeps nobody else's calls waiting.
        try (Cri cri = Cri.connect(NODE.server().socket())) {
            while (!ending.get()) {
                String name = "life-" + lives.get();
                var container = Configs.container("main", NODE.busybox(), "sleep", "1000");
                new PodLife(cri, Configs.pod(name, NODE.logs()).build(), container.build(), handler,
                        PATIENCE, LIMIT).lead();
                lives.incrementAndGet();
            }
        } catch (RuntimeException | Error e) {
            failures.add(e);
        }
    }

    private static Counter counter(String handler) {
        PodHandle pod = NODE.pod("counter-" + handler, handler);
        String script = "i=0; while [ ! -e /stop ]; do i=$((i+1)); echo $i; usleep 5000; done; exit 0; count-"
                + handler;
        ContainerHandle container = pod
                .start(Configs.container("main", NODE.busybox(), "sh", "-c", script));
        container.awaitLog(3);
        ProcessHandle process = Processes.await("exit 0; count-" + handler);
        return new Counter(pod, container, process, process.info().startInstant().orElseThrow(),
                container.status());
    }

    /** A container ends with a code of its own while there is no daemon; the next daemon must know it. */
    private void killWhileAContainerEnds(Random random, String handler) throws InterruptedException {
        try (PodHandle pod = run(handler)) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "usleep " + random.nextInt(300_000) + "; exit " + EXIT_CODE));
            NODE.server().kill();
            Thread.sleep(random.nextInt(600));
            // Its supervisor has written down how it ended: the next daemon must not take its own start for the end.
            boolean hasEnded = Files.exists(NODE.exitFile(container.id()));
            Instant before = Instant.now();
            NODE.server().start();

            ContainerStatus status = Await.until("the container's end is known", LIMIT, container::status,
                    now -> now.getState() == ContainerState.CONTAINER_EXITED);
            assertThat(status.getExitCode()).isEqualTo(EXIT_CODE);
            assertThat(status.getReason()).isEqualTo("Error");
            assertThat(status.getFinishedAt()).isGreaterThanOrEqualTo(status.getStartedAt());
            if (hasEnded) {
                assertThat(Instant.ofEpochSecond(0, status.getFinishedAt())).isBeforeOrEqualTo(before);
            }
        }
    }

    private static PodHandle run(String handler) {
        return NODE.pod("ends", handler);
    }

    private static void assertUnnoticed(Counter counter) {
        assertThat(counter.process().isAlive()).isTrue();
        assertThat(counter.process().info().startInstant()).hasValue(counter.began());
        assertThat(counter.container().status()).isEqualTo(counter.status());
        assertThat(counter.pod().ip()).isNotEmpty();
    }

    private static void assertCountedOn(Counter counter) {
        counter.container().sh("touch /stop");
        counter.container().awaitExit();
        List<String> lines = counter.container().log().stream().map(line -> line.text()).toList();
        assertThat(lines).as("every line once, in order").hasSizeGreaterThan(100)
                .isEqualTo(Configs.counted(lines.size()));
        assertThat(counter.container().status().getExitCode()).isZero();
    }
}
