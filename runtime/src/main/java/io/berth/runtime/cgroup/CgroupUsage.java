package io.berth.runtime.cgroup;

import java.time.Instant;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What a cgroup has used; a value that the kernel does not give is empty.
 *
 * @param at when it was read
 * @param cpuNanos cumulative CPU time
 * @param memoryUsageBytes current use including page cache
 * @param memoryWorkingSetBytes use less inactive file pages
 * @param memoryAvailableBytes limit less working set; empty without a limit
 * @param cpuPsi pressure, where cgroup v2 with PSI has it
 */
public record CgroupUsage(Instant at, OptionalLong cpuNanos, OptionalLong memoryUsageBytes,
        OptionalLong memoryWorkingSetBytes, OptionalLong memoryAvailableBytes, OptionalLong memoryRssBytes,
        OptionalLong pageFaults, OptionalLong majorPageFaults, OptionalLong memoryLimitBytes,
        OptionalLong swapUsageBytes, OptionalLong swapAvailableBytes, OptionalLong processes,
        Optional<Psi> cpuPsi,
        Optional<Psi> memoryPsi, Optional<Psi> ioPsi) {
    /** Pressure of one resource: the kernel's two lines. */
    public record Psi(Line some, Line full) {}

    /** @param totalMicros cumulative stall time; the averages are percentages over 10, 60 and 300 s */
    public record Line(long totalMicros, double avg10, double avg60, double avg300) {}
}
