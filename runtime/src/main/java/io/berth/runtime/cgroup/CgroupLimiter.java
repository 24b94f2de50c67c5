package io.berth.runtime.cgroup;

import io.berth.cri.v1.HugepageLimit;
import io.berth.cri.v1.LinuxContainerResources;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/** Writes limits into a cgroup that no OCI runtime looks after: a pod's own. */
final class CgroupLimiter {
    private static final String NO_LIMIT = "max";

    private final CgroupLayout layout;

    CgroupLimiter(CgroupLayout layout) {
        this.layout = layout;
    }

    void apply(Path directory, LinuxContainerResources limits) throws IOException {
        if (layout.unifiedOnly()) {
            applyV2(layout.unified().orElseThrow().resolve(directory), limits);
        } else {
            applyV1(directory, limits);
        }
    }

    private static void applyV2(Path cgroup, LinuxContainerResources limits) throws IOException {
        if (limits.getCpuShares() > 0) {
            write(cgroup, "cpu.weight", Long.toString(CpuWeight.ofShares(limits.getCpuShares())));
        }
        if (limits.getCpuQuota() != 0 || limits.getCpuPeriod() > 0) {
            // What is not given stays: the file takes a quota alone, but not a period alone.
            String quota = limits.getCpuQuota() == 0
                    ? CgroupFiles.text(cgroup.resolve("cpu.max")).orElse(NO_LIMIT).split(" ")[0]
                    : value(limits.getCpuQuota());
            write(cgroup, "cpu.max",
                    limits.getCpuPeriod() > 0 ? quota + " " + limits.getCpuPeriod() : quota);
        }
        cpusets(cgroup, limits);
        if (limits.getMemoryLimitInBytes() != 0) {
            write(cgroup, "memory.max", value(limits.getMemoryLimitInBytes()));
        }
        if (limits.getMemorySwapLimitInBytes() != 0) {
            write(cgroup, "memory.swap.max", value(swapAlone(limits)));
        }
        for (HugepageLimit limit : limits.getHugepageLimitsList()) {
            write(cgroup, "hugetlb." + limit.getPageSize() + ".max", unsigned(limit.getLimit()));
        }
        for (Map.Entry<String, String> entry : limits.getUnifiedMap().entrySet()) {
            write(cgroup, entry.getKey(), entry.getValue());
        }
    }

    private void applyV1(Path directory, LinuxContainerResources limits) throws IOException {
        if (limits.getCpuShares() > 0) {
            write(v1("cpu", directory), "cpu.shares", Long.toString(limits.getCpuShares()));
        }
        if (limits.getCpuPeriod() > 0) {
            write(v1("cpu", directory), "cpu.cfs_period_us", Long.toString(limits.getCpuPeriod()));
        }
        if (limits.getCpuQuota() != 0) {
            write(v1("cpu", directory), "cpu.cfs_quota_us", Long.toString(limits.getCpuQuota()));
        }
        if (!limits.getCpusetCpus().isEmpty() || !limits.getCpusetMems().isEmpty()) {
            cpusets(v1("cpuset", directory), limits);
        }
        if (limits.getMemoryLimitInBytes() != 0 || limits.getMemorySwapLimitInBytes() != 0) {
            memoryV1(v1("memory", directory), limits.getMemoryLimitInBytes(),
                    limits.getMemorySwapLimitInBytes());
        }
        for (HugepageLimit limit : limits.getHugepageLimitsList()) {
            write(v1("hugetlb", directory), "hugetlb." + limit.getPageSize() + ".limit_in_bytes",
                    unsigned(limit.getLimit()));
        }
    }

    /** The limit of memory and swap together must never be below that of memory: the one that grows comes first. */
    private static void memoryV1(Path memory, long limit, long wantedBoth) throws IOException {
        Path bothFile = memory.resolve("memory.memsw.limit_in_bytes");
        long both = CgroupUsageReader.limit(bothFile).orElse(-1);
        boolean tooSmall = both >= 0 && (limit < 0 || limit > both);
        long target = wantedBoth == 0 && tooSmall ? limit : wantedBoth;
        boolean grows = target != 0 && (target < 0 || (both >= 0 && target > both));
        if (grows) {
            write(memory, "memory.memsw.limit_in_bytes", Long.toString(target));
        }
        if (limit != 0) {
            write(memory, "memory.limit_in_bytes", Long.toString(limit));
        }
        if (target != 0 && !grows) {
            write(memory, "memory.memsw.limit_in_bytes", Long.toString(target));
        }
    }

    private static void cpusets(Path cgroup, LinuxContainerResources limits) throws IOException {
        if (!limits.getCpusetCpus().isEmpty()) {
            write(cgroup, "cpuset.cpus", limits.getCpusetCpus());
        }
        if (!limits.getCpusetMems().isEmpty()) {
            write(cgroup, "cpuset.mems", limits.getCpusetMems());
        }
    }

    private Path v1(String controller, Path directory) throws IOException {
        Path mountPoint = layout.v1().get(controller);
        if (mountPoint == null) {
            throw new IOException(
                    "cgroup controller " + controller + " is not mounted, so nothing of cgroup /"
                            + directory + " can be limited by it");
        }
        return mountPoint.resolve(directory);
    }

    /** The CRI's limit is of memory and swap together, version 2's of swap alone; -1 is none. */
    static long swapAlone(LinuxContainerResources limits) {
        return limits.getMemorySwapLimitInBytes() < 0
                ? -1
                : limits.getMemorySwapLimitInBytes() - Math.max(0, limits.getMemoryLimitInBytes());
    }

    private static String value(long limit) {
        return limit < 0 ? NO_LIMIT : Long.toString(limit);
    }

    /** The kernel takes anything over 2^63 as no limit. */
    private static String unsigned(long limit) {
        return Long.toString(limit < 0 ? Long.MAX_VALUE : limit);
    }

    private static void write(Path cgroup, String file, String text) throws IOException {
        try {
            // Never created: in a plain directory a cgroup's file is absent because the controller is.
            Files.writeString(cgroup.resolve(file), text, StandardOpenOption.WRITE,
                    StandardOpenOption.TRUNCATE_EXISTING);
        } catch (IOException e) {
            throw new IOException("cannot write " + text + " to " + cgroup.resolve(file) + ": "
                    + e.getClass().getSimpleName() + " " + e.getMessage(), e);
        }
    }
}
