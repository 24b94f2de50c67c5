package io.berth.e2e.bench;

import java.time.Duration;
import java.util.Map;

/**
 * A full node under probes, see {@link Load}.
 *
 * @param image has {@code sleep} and {@code true}
 * @param duration from when all pods run until they are removed
 */
record LoadBenchmark(String image, int pods, Duration duration) implements Benchmark {
    @Override
    public String name() {
        return "load";
    }

    @Override
    public int defaultRuns() {
        return 1;
    }

    @Override
    public int warmUps() {
        return 0;
    }

    @Override
    public Map<String, Double> measure(Target target) {
        return new Load(target.cri(), target.pid(), target.handler(), image, target.logs()).run(pods,
                duration);
    }
}
