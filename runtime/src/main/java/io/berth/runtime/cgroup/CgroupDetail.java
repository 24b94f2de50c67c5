package io.berth.runtime.cgroup;

import java.util.List;
import java.util.OptionalLong;

/**
 * Everything that the kernel tells of a cgroup; a value that it does not give is empty.
 *
 * @param path the cgroup's directory below a hierarchy's mount point, with a leading slash
 * @param oomKills processes that were killed for want of memory
 */
public record CgroupDetail(String path, CgroupUsage usage, Cpu cpu, Memory memory, List<DeviceIo> io,
        List<HugePages> hugePages, Tasks tasks, long oomKills) {

    /**
     * @param periods of a quota's periods those in which something ran; {@code throttledPeriods} of them were cut short
     * @param shares in version 1's measure, where 1024 is one share
     * @param quotaMicros CPU time in each period; empty without a limit
     */
    public record Cpu(OptionalLong userNanos, OptionalLong systemNanos, OptionalLong periods,
            OptionalLong throttledPeriods, OptionalLong throttledNanos, OptionalLong shares,
            OptionalLong quotaMicros, OptionalLong periodMicros) {}

    /**
     * Bytes, but for {@code limitHits}, which counts how often the limit was met, and the page faults of the cgroup without those
     * below it.
     *
     * @param peak the most that was ever in use
     * @param reservation what is left to it under pressure; empty where nothing is reserved
     * @param swapLimit swap that may be used on top of memory; empty without a limit
     */
    public record Memory(OptionalLong cache, OptionalLong mappedFiles, OptionalLong kernel,
            OptionalLong activeFiles, OptionalLong inactiveFiles, OptionalLong peak, OptionalLong limitHits,
            OptionalLong reservation, OptionalLong swapLimit, OptionalLong ownPageFaults,
            OptionalLong ownMajorPageFaults) {}

    /** What went to and came from one block device. */
    public record DeviceIo(int major, int minor, long readBytes, long writtenBytes, long reads,
            long writes) {}

    /** @param size such as {@code 2MB} */
    public record HugePages(String size, long usedBytes, OptionalLong peakBytes) {}

    /**
     * @param pids processes in the cgroup and below
     * @param threadLimit empty without a limit
     */
    public record Tasks(List<Long> pids, OptionalLong threads, OptionalLong threadLimit) {}
}
