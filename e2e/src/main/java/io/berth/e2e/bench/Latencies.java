package io.berth.e2e.bench;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

/** Durations of one kind of call, from many threads. */
public final class Latencies {
    private static final double NANOS_PER_MILLI = 1e6;
    private static final double MEDIAN = 0.5;
    private static final double NINETY_NINTH = 0.99;

    private final AtomicInteger count = new AtomicInteger();
    private long[] nanos = new long[1 << 12];

    public synchronized void add(long nanoseconds) {
        int index = count.getAndIncrement();
        if (index == nanos.length) {
            nanos = Arrays.copyOf(nanos, 2 * nanos.length);
        }
        nanos[index] = nanoseconds;
    }

    public int count() {
        return count.get();
    }

    /** NaN where there is none. */
    public double medianMillis() {
        return quantile(MEDIAN);
    }

    /** NaN where there is none. */
    public double ninetyNinthMillis() {
        return quantile(NINETY_NINTH);
    }

    private synchronized double quantile(double share) {
        long[] sorted = Arrays.copyOf(nanos, count.get());
        Arrays.sort(sorted);
        return sorted.length == 0
                ? Double.NaN
                : sorted[Math.min(sorted.length - 1, (int) (share * sorted.length))] / NANOS_PER_MILLI;
    }
}
