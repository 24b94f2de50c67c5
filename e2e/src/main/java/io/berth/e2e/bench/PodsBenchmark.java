package io.berth.e2e.bench;

import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import java.util.Map;

/**
 * The calls of a pod's life: a pod on the pod network with one container that sleeps.
 *
 * @param image has a {@code sleep}
 */
record PodsBenchmark(String image) implements Benchmark {
    @Override
    public String name() {
        return "pods";
    }

    @Override
    public int defaultRuns() {
        return 20;
    }

    @Override
    public int warmUps() {
        return 5;
    }

    @Override
    public Map<String, Double> measure(Target target) {
        var watch = new Stopwatch();
        PodHandle pod = watch.time("run_pod_sandbox_ms",
                () -> PodHandle.run(target.cri(), Configs.pod("bench", target.logs()), target.handler()));
        ContainerHandle container = watch.time("create_container_ms",
                () -> pod.create(
                        Configs.withDefaultProcMount(Configs.container("main", image, "sleep", "100000"))));
        watch.time("start_container_ms", container::start);
        watch.time("stop_ms", () -> {
            container.stop(0);
            pod.stop();
        });
        watch.time("remove_ms", () -> {
            container.remove();
            pod.remove();
        });
        watch.derive("create_and_start_ms",
                times -> times.millis("create_container_ms") + times.millis("start_container_ms"));
        return watch.times();
    }
}
