package io.berth.runtime.stats;

import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;

/** CPU time a second, from two readings of a counter that only grows. Thread-safe. */
final class CpuRates {
    /** A rate over less is noise. */
    private static final long SHORTEST_NANOS = Duration.ofSeconds(1).toNanos();

    private final Map<String, Sample> samples = new ConcurrentHashMap<>();

    /**
     * Nanoseconds of CPU time a second since the last reading that is long enough ago; empty at the first.
     *
     * @param id whose counter it is
     * @param atNanos when it was read, since the epoch
     */
    OptionalLong rate(String id, long atNanos, long cpuNanos) {
        return samples.merge(id, new Sample(atNanos, cpuNanos, OptionalLong.empty()), CpuRates::next).rate;
    }

    /** Forgets all others. */
    void retainAll(Collection<String> ids) {
        samples.keySet().retainAll(ids);
    }

    private static Sample next(Sample before, Sample now) {
        long elapsed = now.atNanos - before.atNanos;
        if (elapsed < 0 || now.cpuNanos < before.cpuNanos) {
            // The clock was set back, or the cgroup is another one: count from here.
            return now;
        }
        if (elapsed < SHORTEST_NANOS) {
            return before;
        }
        double rate = (double) (now.cpuNanos - before.cpuNanos) * SHORTEST_NANOS / elapsed;
        return new Sample(now.atNanos, now.cpuNanos, OptionalLong.of((long) rate));
    }

    private record Sample(long atNanos, long cpuNanos, OptionalLong rate) {}
}
