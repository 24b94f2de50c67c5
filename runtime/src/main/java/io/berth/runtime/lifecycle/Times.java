package io.berth.runtime.lifecycle;

import java.time.Instant;

/** Times as the CRI has them. */
public final class Times {
    private Times() {}

    /** Nanoseconds since the epoch. */
    public static long nanos(Instant at) {
        return Math.addExact(Math.multiplyExact(at.getEpochSecond(), 1_000_000_000L), at.getNano());
    }
}
