package io.berth.e2e.cri;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.function.Supplier;

/** Waits for what cannot be subscribed to. */
public final class Await {
    private static final Duration INTERVAL = Duration.ofMillis(10);

    /** How many times longer all waits may take: for a machine that is emulated. */
    public static final int SLOWNESS = Integer.getInteger("e2e.slowness", 1);

    private Await() {}

    /**
     * Reads a value until it is as wanted.
     *
     * @param what is waited for, in the error's text
     * @throws AssertionError after {@code timeout} (times {@link #SLOWNESS}), with the last value
     */
    public static <T> T until(String what, Duration timeout, Supplier<T> read, Predicate<T> wanted) {
        long end = System.nanoTime() + timeout.toNanos() * SLOWNESS;
        while (true) {
            T value = read.get();
            if (wanted.test(value)) {
                return value;
            }
            if (System.nanoTime() > end) {
                throw new AssertionError("after %s still not: %s; it is %s".formatted(timeout, what, value));
            }
            LockSupport.parkNanos(INTERVAL.toNanos());
        }
    }
}
