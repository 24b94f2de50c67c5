package io.berth.runtime.lifecycle;

import java.time.Duration;

/** A moment until which work of several steps may take, by the clock that is never set. */
public final class TimeLimit {
    private final Duration whole;
    private final long endNanos;

    private TimeLimit(Duration whole) {
        this.whole = whole;
        this.endNanos = System.nanoTime() + whole.toNanos();
    }

    public static TimeLimit of(Duration time) {
        return new TimeLimit(time);
    }

    /**
     * What is left for the next step.
     *
     * @param step what it is for, for the error
     * @throws LifecycleException TIMEOUT where nothing is left
     */
    public Duration left(String step) throws LifecycleException {
        Duration left = Duration.ofNanos(endNanos - System.nanoTime());
        if (left.isNegative() || left.isZero()) {
            throw new LifecycleException(LifecycleException.Kind.TIMEOUT,
                    step + ": the " + whole.toMillis() + " ms that the request gave are over");
        }
        return left;
    }
}
