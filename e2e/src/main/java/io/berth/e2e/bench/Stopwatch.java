package io.berth.e2e.bench;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.ToDoubleFunction;

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

    /** A further figure, made of the times so far. */
    void derive(String name, ToDoubleFunction<Stopwatch> figure) {
        times.put(name, figure.applyAsDouble(this));
    }

    /** What {@code step} took. */
    double millis(String step) {
        return times.getOrDefault(step, Double.NaN);
    }

    Map<String, Double> times() {
        return times;
    }
}
