package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ExecSyncRequest;
import io.berth.cri.v1.ListContainerStatsRequest;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.e2e.bench.Latencies;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.EventQueue;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Footprint;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.ShimProcess;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Ten shims that stand still and a thousand calls on them ({@code -De2e.frozen.calls=N}). */
@Testcontainers
final class FrozenShimsIT {
    /**
     * A call that waits for a frozen shim takes this long, and does so every time; any call may be slow once on a busy machine.
     */
    private static final Duration SHIM_TIMEOUT = Duration.ofSeconds(2);

    @Container
    static final Node NODE = new Node("timeouts.shim = \"" + SHIM_TIMEOUT.toSeconds() + "s\"");

    private static final String HANDLER = "crun";
    private static final Duration SOON = Duration.ofSeconds(20);
    /** Longer than kubelet's patience for any of them. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final int FROZEN = 10;
    private static final int CALLS = Integer.getInteger("e2e.frozen.calls", 1000);
    private static final int AT_A_TIME = 100;
    private static final int ALLOWED_THREADS = 8;
    private static final int ALLOWED_DESCRIPTORS = 8;
    /** Of live objects; 4 KiB a call, which is less than any buffer that would be lost, is twice this. */
    private static final long ALLOWED_KIB = 2 << 10;

    @Test
    void manyCallsOnFrozenShimsEndAtTheirDeadlineAndHarmNobody() throws Exception {
        List<PodHandle> pods = new ArrayList<>();
        List<ContainerHandle> frozen = new ArrayList<>();
        try {
            for (int i = 0; i < 2; i++) {
                PodHandle pod = NODE.pod("frozen-" + i, HANDLER);
                pods.add(pod);
                for (int j = 0; j < FROZEN / 2; j++) {
                    frozen.add(pod.start(Configs.container("c" + j, NODE.busybox(), "sleep", "1000")));
                }
            }
            ContainerHandle healthy = pods.getFirst()
                    .start(Configs.container("healthy", NODE.busybox(), "sleep", "1000"));
            frozen.forEach(container -> ShimProcess.of(container.id()).freeze());
            // As many calls as are measured, so that the heap has its size.
            exec(frozen, CALLS);
            Footprint.of(NODE.server().pid());
            Footprint before = Footprint.of(NODE.server().pid());

            Map<Status.Code, AtomicInteger> answers;
            Others others;
            try (var events = new EventQueue(NODE.cri())) {
                others = new Others(healthy, frozen.getFirst(), pods.getFirst(), events);
                Thread watching = Thread.startVirtualThread(others);
                answers = exec(frozen, CALLS);
                others.ending = true;
                watching.join();
            }

            assertThat(answers.keySet()).as("answers of the frozen ones: %s", answers)
                    .isSubsetOf(Status.Code.DEADLINE_EXCEEDED, Status.Code.UNAVAILABLE);
            assertThat(answers.get(Status.Code.DEADLINE_EXCEEDED)).as("calls that ended at their deadline")
                    .hasValueGreaterThan(FROZEN);
            assertThat(others.failures).isEmpty();
            others.assertQuick();
            Await.until("memory, threads and descriptors are as before: " + before, SOON,
                    () -> Footprint.of(NODE.server().pid()),
                    now -> now.threads() <= before.threads() + ALLOWED_THREADS
                            && now.virtualThreads() <= before.virtualThreads() + ALLOWED_THREADS
                            && now.descriptors() <= before.descriptors() + ALLOWED_DESCRIPTORS
                            && now.heapKib() <= before.heapKib() + ALLOWED_KIB);

            frozen.forEach(container -> ShimProcess.of(container.id()).resume());
            for (ContainerHandle container : frozen) {
                Await.until("a shim that goes on serves again", SOON, () -> answers(container), ok -> ok);
            }
        } finally {
            pods.forEach(PodHandle::close);
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    /** What a kubelet does beside, measured. */
    private static final class Others implements Runnable {
        private final ContainerHandle healthy;
        private final ContainerHandle frozen;
        private final PodHandle pod;
        private final EventQueue events;
        private final List<String> failures = new ArrayList<>();
        private final Map<String, Latencies> latencies = new LinkedHashMap<>();
        private volatile boolean ending;
        private int rounds;

        Others(ContainerHandle healthy, ContainerHandle frozen, PodHandle pod, EventQueue events) {
            this.healthy = healthy;
            this.frozen = frozen;
            this.pod = pod;
            this.events = events;
        }

        @Override
        public void run() {
            while (!ending) {
                quick("ListContainers", () -> NODE.cri().runtime(PATIENCE)
                        .listContainers(ListContainersRequest.getDefaultInstance()));
                quick("ListContainerStats", () -> NODE.cri().runtime(PATIENCE)
                        .listContainerStats(ListContainerStatsRequest.getDefaultInstance()));
                quick("ContainerStatus of a frozen one", frozen::status);
                quick("PodSandboxStatus", pod::status);
                quick("ContainerStats of a frozen one", frozen::stats);
                quick("ExecSync", () -> NODE.cri().runtime(PATIENCE).execSync(ExecSyncRequest
                        .newBuilder().setContainerId(healthy.id()).addCmd("true").build()));
                quick("a container's life with its event", () -> {
                    ContainerHandle made = pod.start(
                            Configs.container("made-" + rounds, NODE.busybox(), "true"));
                    return events.awaitEnd(made.id(), PATIENCE);
                });
                rounds++;
            }
        }

        void assertQuick() {
            assertThat(rounds).isPositive();
            latencies.forEach((what, times) -> assertThat(times.medianMillis()).as(what + ", median in ms")
                    .isLessThan((double) SHIM_TIMEOUT.toMillis()));
        }

        private void quick(String what, Callable<?> call) {
            long began = System.nanoTime();
            try {
                call.call();
                latencies.computeIfAbsent(what, key -> new Latencies()).add(System.nanoTime() - began);
            } catch (Exception | AssertionError e) {
                failures.add(what + ": " + e);
            }
        }
    }

    private static boolean answers(ContainerHandle container) {
        try {
            return container.exec(5, "true").getExitCode() == 0;
        } catch (StatusRuntimeException e) {
            return false;
        }
    }

    /** Exec calls with a timeout of a second, in turns over the containers; what they answered. */
    private static Map<Status.Code, AtomicInteger> exec(List<ContainerHandle> containers, int calls)
            throws InterruptedException {
        Map<Status.Code, AtomicInteger> answers = new ConcurrentHashMap<>();
        try (var threads = Executors.newFixedThreadPool(AT_A_TIME)) {
            for (int i = 0; i < calls; i++) {
                ContainerHandle container = containers.get(i % containers.size());
                threads.execute(
                        () -> answers.computeIfAbsent(answerOf(container), code -> new AtomicInteger())
                                .incrementAndGet());
            }
        }
        return answers;
    }

    private static Status.Code answerOf(ContainerHandle container) {
        try {
            container.exec(1, "true");
            return Status.Code.OK;
        } catch (StatusRuntimeException e) {
            return e.getStatus().getCode();
        }
    }
}
