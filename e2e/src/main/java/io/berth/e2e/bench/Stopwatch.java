package io.berth.e2e.bench;

import java.util.LinkedHashMap;
import java.util.Map;

/** Times of steps, in milliseconds. */
final class Stopwatch {
    private static final double NANOS_PER_MILLI = 1e6;

    private final Map<String, Double> times = new LinkedHashMap<>();

    interface Step<T> {
        T run();
    }

    <T> T time(String name, Step<T> step) {
        long start = System.nanoTime();
        T result = step.run();
        times.merge(name, (System.nanoTime() - start) / NANOS_PER_MILLI, Double::sum);
        return result;
    }

    void time(String name, Runnable step) {
        time(name, () -> {
            step.run();
            return "";
        });
    }

    Map<String, Double> times() {
        return times;
    }
}
