package io.berth.runtime.cgroup;

import java.util.OptionalLong;

/** Version 1's CPU shares (2 to 262144) and version 2's weight (1 to 10000), which OCI runtimes map linearly. */
final class CpuWeight {
    private static final long LEAST_SHARES = 2;
    private static final long MOST_SHARES = 262_144;
    private static final long MOST_WEIGHT = 10_000;

    private CpuWeight() {}

    static OptionalLong shares(OptionalLong weight) {
        return weight.isEmpty()
                ? weight
                : OptionalLong.of(LEAST_SHARES
                        + (weight.getAsLong() - 1) * (MOST_SHARES - LEAST_SHARES) / (MOST_WEIGHT - 1));
    }

    static long ofShares(long shares) {
        long within = Math.clamp(shares, LEAST_SHARES, MOST_SHARES);
        return 1 + (within - LEAST_SHARES) * (MOST_WEIGHT - 1) / (MOST_SHARES - LEAST_SHARES);
    }
}
