package io.berth.runtime.shim;

import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** A moment after which a call to a shim is over, whatever the shim does. */
record Deadline(long nanoTime) {
    private static final ScheduledThreadPoolExecutor CLOCK = clock();

    static Deadline after(Duration time) {
        return new Deadline(System.nanoTime() + time.toNanos());
    }

    /** What is left; zero at the least. */
    Duration remaining() {
        return Duration.ofNanos(Math.max(0, nanoTime - System.nanoTime()));
    }

    boolean passed() {
        return remaining().isZero();
    }

    /** Closes {@code channel} at the deadline, which ends a call that is blocked on it. Cancel it when the call is done. */
    ScheduledFuture<?> closes(Closeable channel) {
        return CLOCK.schedule(() -> {
            try {
                channel.close();
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }, remaining().toNanos(), TimeUnit.NANOSECONDS);
    }

    private static ScheduledThreadPoolExecutor clock() {
        ScheduledThreadPoolExecutor clock = new ScheduledThreadPoolExecutor(1,
                Thread.ofPlatform().name("shim-deadlines").daemon().factory());
        clock.setRemoveOnCancelPolicy(true);
        return clock;
    }
}
