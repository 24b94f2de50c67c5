package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** How long a killed daemon takes to serve again over many containers ({@code -De2e.many.containers=N}, default 200). */
@Testcontainers
final class ManyContainersIT {
    @Container
    static final Node NODE = new Node();

    private static final int CONTAINERS = Integer.getInteger("e2e.many.containers", 200);
    private static final int PODS = 10;
    private static final int AT_A_TIME = 6;
    private static final int STARTS = 3;
    private static final int MOST_STARTS = 10;
    private static final Duration ALLOWED = Duration.ofSeconds(1);
    private static final Pattern SERVING = Pattern.compile("serving the CRI .*millis=(\\d+)");

    @Test
    void theNextDaemonServesWithinASecondMoreThanWithoutContainers() throws Exception {
        Duration without = fastestRestart(Duration.ofDays(1));
        List<PodHandle> pods = new ArrayList<>();
        try (var threads = Executors.newFixedThreadPool(AT_A_TIME)) {
            for (int i = 0; i < PODS; i++) {
                pods.add(NODE.pod("many-" + i, "crun"));
            }
            List<Callable<Object>> starts = new ArrayList<>();
            for (int i = 0; i < CONTAINERS; i++) {
                PodHandle pod = pods.get(i % PODS);
                String name = "c" + i;
                starts.add(() -> pod.start(Configs.container(name, NODE.busybox(), "sleep", "1000")));
            }
            for (Future<Object> start : threads.invokeAll(starts)) {
                start.get();
            }
            Duration with = fastestRestart(without.plus(ALLOWED));

            System.out.printf("    ready %d ms after exec without containers, %d ms with %d%n",
                    without.toMillis(),
                    with.toMillis(), CONTAINERS);
            assertThat(with.minus(without)).isLessThan(ALLOWED);
            assertThat(NODE.cri().runtime().listContainers(ListContainersRequest.getDefaultInstance())
                    .getContainersList()).hasSize(CONTAINERS)
                    .allMatch(container -> container.getState() == ContainerState.CONTAINER_RUNNING);
        } finally {
            pods.parallelStream().forEach(PodHandle::close);
        }
    }

    /**
     * From the start of the process to the answer of its socket, as the daemon measures it. On a busy machine a few starts are
     * not enough to meet a quiet moment, so more are made until one is faster than {@code enough}.
     */
    private static Duration fastestRestart(Duration enough) throws IOException {
        Duration fastest = Duration.ofDays(1);
        boolean isEnough = false;
        for (int i = 0; i < STARTS || (i < MOST_STARTS && !isEnough); i++) {
            NODE.server().kill();
            NODE.server().start();
            List<MatchResult> found = SERVING
                    .matcher(Files.readString(NODE.directory().resolve("d/daemon.log"))).results().toList();
            Duration took = Duration.ofMillis(Long.parseLong(found.getLast().group(1)));
            fastest = took.compareTo(fastest) < 0 ? took : fastest;
            isEnough = fastest.compareTo(enough) < 0;
        }
        return fastest;
    }
}
