package io.berth.linux;

/**
 * Access and modification time, each in seconds since the epoch (negative before it) and nanoseconds of that second.
 */
public record FileTimes(long accessSeconds, int accessNanos, long modifiedSeconds, int modifiedNanos) {
    /** One time for both. */
    public static FileTimes of(long seconds, int nanos) {
        return new FileTimes(seconds, nanos, seconds, nanos);
    }

    /** As {@code struct timespec[2]}. */
    long[] timespecs() {
        return new long[]{accessSeconds, accessNanos, modifiedSeconds, modifiedNanos};
    }
}
