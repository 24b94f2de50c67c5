package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.e2e.bench.Load;
import io.berth.e2e.node.Node;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** A small one of the node that {@code ./bench load} fills. */
@Testcontainers
final class LoadIT {
    private static final int PODS = 20;
    private static final Duration DURATION = Duration.ofSeconds(20);
    private static final double HEAP_GROWTH_MB = 3;
    /** Threads that virtual ones run on come and go. */
    private static final int CARRIERS = 8;

    @Container
    static final Node NODE = new Node();

    @Test
    void podsUnderProbesListsStatsAndEventsFailNoCallAndLeaveNothingInTheDaemon() {
        var load = new Load(NODE.cri(), NODE.server().pid(), "crun", NODE.busybox(), NODE.logs());
        Map<String, Double> figures = load.run(PODS, DURATION);

        assertThat(load.failures()).isEmpty();
        assertThat(of(figures, "pods")).isEqualTo(PODS);
        assertThat(of(figures, "probes")).isGreaterThan(PODS);
        assertThat(of(figures, "heap_after_mb")).isLessThan(of(figures, "heap_before_mb") + HEAP_GROWTH_MB);
        assertThat(of(figures, "heap_at_100_percent_mb"))
                .isLessThan(of(figures, "heap_at_10_percent_mb") + HEAP_GROWTH_MB);
        assertThat(of(figures, "fds_after")).isLessThanOrEqualTo(of(figures, "fds_before") + 2);
        assertThat(of(figures, "threads_after"))
                .isLessThanOrEqualTo(of(figures, "threads_before") + CARRIERS);
        assertThat(of(figures, "virtual_threads_after"))
                .isLessThanOrEqualTo(of(figures, "virtual_threads_before"));
        assertThat(of(figures, "mounts_after")).isEqualTo(of(figures, "mounts_before"));
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    private static double of(Map<String, Double> figures, String name) {
        return figures.getOrDefault(name, Double.NaN);
    }
}
