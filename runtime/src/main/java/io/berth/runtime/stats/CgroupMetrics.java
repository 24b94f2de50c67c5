package io.berth.runtime.stats;

import static io.berth.runtime.stats.MetricFamily.*;

import io.berth.linux.NetworkInterfaces;
import io.berth.runtime.cgroup.CgroupDetail;
import io.berth.runtime.cgroup.CgroupUsage;
import java.util.List;
import java.util.Optional;

/** What a cgroup and its network interfaces tell, as metrics. */
final class CgroupMetrics {
    private CgroupMetrics() {}

    /** Those that a pod has as a whole, too. */
    static void use(CgroupDetail detail, MetricSamples samples) {
        cpu(detail, samples);
        memory(detail, samples);
        detail.hugePages().forEach(pages -> {
            samples.add(HUGE_PAGES, pages.usedBytes(), pages.size());
            samples.add(HUGE_PAGES_PEAK, pages.peakBytes(), pages.size());
        });
        for (CgroupDetail.DeviceIo io : detail.io()) {
            io(io, BlockDevices.path(io.major(), io.minor()), samples);
        }
        samples.add(PROCESSES, detail.tasks().pids().size());
        samples.add(THREADS, detail.tasks().threads());
        samples.add(THREADS_MAX, detail.tasks().threadLimit().orElse(0));
        CgroupUsage usage = detail.usage();
        pressure(usage.cpuPsi(), PRESSURE_CPU_WAITING, PRESSURE_CPU_STALLED, samples);
        pressure(usage.memoryPsi(), PRESSURE_MEMORY_WAITING, PRESSURE_MEMORY_STALLED, samples);
        pressure(usage.ioPsi(), PRESSURE_IO_WAITING, PRESSURE_IO_STALLED, samples);
        limits(detail, samples);
    }

    static void network(List<NetworkInterfaces.Statistics> interfaces, MetricSamples samples) {
        for (NetworkInterfaces.Statistics one : interfaces) {
            samples.add(NETWORK_RECEIVED_BYTES, one.receivedBytes(), one.name());
            samples.add(NETWORK_RECEIVED_PACKETS, one.receivedPackets(), one.name());
            samples.add(NETWORK_RECEIVED_DROPPED, one.receiveDropped(), one.name());
            samples.add(NETWORK_RECEIVE_ERRORS, one.receiveErrors(), one.name());
            samples.add(NETWORK_SENT_BYTES, one.sentBytes(), one.name());
            samples.add(NETWORK_SENT_PACKETS, one.sentPackets(), one.name());
            samples.add(NETWORK_SENT_DROPPED, one.sendDropped(), one.name());
            samples.add(NETWORK_SEND_ERRORS, one.sendErrors(), one.name());
        }
    }

    private static void cpu(CgroupDetail detail, MetricSamples samples) {
        CgroupDetail.Cpu cpu = detail.cpu();
        samples.nanosAsSeconds(CPU_USAGE, detail.usage().cpuNanos(), "total");
        samples.nanosAsSeconds(CPU_USER, cpu.userNanos());
        samples.nanosAsSeconds(CPU_SYSTEM, cpu.systemNanos());
        if (cpu.quotaMicros().isPresent()) {
            samples.add(CPU_PERIODS, cpu.periods());
            samples.add(CPU_THROTTLED_PERIODS, cpu.throttledPeriods());
            samples.nanosAsSeconds(CPU_THROTTLED_TIME, cpu.throttledNanos());
        }
    }

    private static void memory(CgroupDetail detail, MetricSamples samples) {
        CgroupUsage usage = detail.usage();
        CgroupDetail.Memory memory = detail.memory();
        samples.add(MEMORY_USAGE, usage.memoryUsageBytes());
        samples.add(MEMORY_WORKING_SET, usage.memoryWorkingSetBytes());
        samples.add(MEMORY_RSS, usage.memoryRssBytes());
        samples.add(MEMORY_CACHE, memory.cache());
        samples.add(MEMORY_MAPPED_FILE, memory.mappedFiles());
        samples.add(MEMORY_KERNEL, memory.kernel());
        samples.add(MEMORY_SWAP, usage.swapUsageBytes());
        samples.add(MEMORY_PEAK, memory.peak());
        samples.add(MEMORY_LIMIT_HITS, memory.limitHits());
        samples.add(MEMORY_ACTIVE_FILE, memory.activeFiles());
        samples.add(MEMORY_INACTIVE_FILE, memory.inactiveFiles());
        samples.add(MEMORY_FAILURES, memory.ownPageFaults(), "pgfault", "container");
        samples.add(MEMORY_FAILURES, memory.ownMajorPageFaults(), "pgmajfault", "container");
        samples.add(MEMORY_FAILURES, usage.pageFaults(), "pgfault", "hierarchy");
        samples.add(MEMORY_FAILURES, usage.majorPageFaults(), "pgmajfault", "hierarchy");
        samples.add(OOM_EVENTS, detail.oomKills());
    }

    private static void io(CgroupDetail.DeviceIo io, String device, MetricSamples samples) {
        samples.add(FS_READ_BYTES, io.readBytes(), device);
        samples.add(FS_READS, io.reads(), device);
        samples.add(FS_WRITTEN_BYTES, io.writtenBytes(), device);
        samples.add(FS_WRITES, io.writes(), device);
        String major = Integer.toString(io.major());
        String minor = Integer.toString(io.minor());
        samples.add(BLOCK_IO, io.readBytes(), device, major, minor, "Read");
        samples.add(BLOCK_IO, io.writtenBytes(), device, major, minor, "Write");
    }

    private static void pressure(Optional<CgroupUsage.Psi> psi, MetricFamily waiting, MetricFamily stalled,
            MetricSamples samples) {
        psi.ifPresent(known -> {
            samples.microsAsSeconds(waiting, known.some().totalMicros());
            samples.microsAsSeconds(stalled, known.full().totalMicros());
        });
    }

    private static void limits(CgroupDetail detail, MetricSamples samples) {
        samples.add(SPEC_CPU_PERIOD, detail.cpu().periodMicros());
        samples.add(SPEC_CPU_QUOTA, detail.cpu().quotaMicros());
        samples.add(SPEC_CPU_SHARES, detail.cpu().shares());
        long memory = detail.usage().memoryLimitBytes().orElse(0);
        samples.add(SPEC_MEMORY_LIMIT, memory);
        samples.add(SPEC_MEMORY_RESERVATION, detail.memory().reservation().orElse(0));
        samples.add(SPEC_MEMORY_SWAP_LIMIT, detail.memory().swapLimit().isPresent()
                ? memory + detail.memory().swapLimit().getAsLong()
                : 0);
    }
}
