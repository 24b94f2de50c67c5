package io.berth.runtime.container;

import io.berth.cri.v1.ContainerStats;
import io.berth.cri.v1.ContainerStatsFilter;
import io.berth.cri.v1.CpuUsage;
import io.berth.cri.v1.FilesystemIdentifier;
import io.berth.cri.v1.FilesystemUsage;
import io.berth.cri.v1.IoUsage;
import io.berth.cri.v1.MemoryUsage;
import io.berth.cri.v1.PsiData;
import io.berth.cri.v1.PsiStats;
import io.berth.cri.v1.SwapUsage;
import io.berth.cri.v1.UInt64Value;
import io.berth.imagestore.Images;
import io.berth.runtime.cgroup.CgroupUsage;
import io.berth.runtime.lifecycle.Labels;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.state.ContainerRecord;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** CRI container statistics, from cgroup files and the writable layers; no shim is asked. */
public final class ContainerStatsReader {
    /** A rate over less is noise. */
    private static final long MIN_RATE_NANOS = 100_000_000;

    private final ContainerDeps deps;
    private final WritableLayers layers;
    private final Map<String, Sample> samples = new ConcurrentHashMap<>();

    public ContainerStatsReader(ContainerDeps deps) {
        this.deps = deps;
        this.layers = new WritableLayers(deps.snapshots(), deps.clock());
    }

    /** Statistics of those that match every condition of {@code filter}; its ids may be prefixes. */
    public List<ContainerStats> list(ContainerStatsFilter filter) {
        List<Container> containers = deps.containers().all();
        List<String> ids = containers.stream().map(Container::id).toList();
        samples.keySet().retainAll(ids);
        layers.retainAll(ids);
        return containers.stream().filter(container -> matches(container.record(), filter)).map(this::read)
                .toList();
    }

    /** Statistics of one container. One that has ended has a writable layer only. */
    public ContainerStats read(Container container) {
        ContainerRecord record = container.record();
        ContainerStats.Builder stats = ContainerStats.newBuilder()
                .setAttributes(ContainerMessages.attributes(record));
        deps.cgroups().usage(record.cgroupsPath()).ifPresent(usage -> fill(record.id(), usage, stats));
        layers.usage(record.id()).ifPresent(measured -> stats.setWritableLayer(
                filesystem(measured.usage(), Times.nanos(measured.at()), deps.images().root().toString())));
        return stats.build();
    }

    private void fill(String id, CgroupUsage usage, ContainerStats.Builder stats) {
        long at = Times.nanos(usage.at());
        CpuUsage.Builder cpu = CpuUsage.newBuilder().setTimestamp(at);
        set(usage.cpuNanos(), cpu::setUsageCoreNanoSeconds);
        usage.cpuNanos().ifPresent(nanos -> set(rate(id, at, nanos), cpu::setUsageNanoCores));
        usage.cpuPsi().ifPresent(psi -> cpu.setPsi(psi(psi)));
        MemoryUsage.Builder memory = MemoryUsage.newBuilder().setTimestamp(at);
        set(usage.memoryUsageBytes(), memory::setUsageBytes);
        set(usage.memoryWorkingSetBytes(), memory::setWorkingSetBytes);
        set(usage.memoryAvailableBytes(), memory::setAvailableBytes);
        set(usage.memoryRssBytes(), memory::setRssBytes);
        set(usage.pageFaults(), memory::setPageFaults);
        set(usage.majorPageFaults(), memory::setMajorPageFaults);
        usage.memoryPsi().ifPresent(psi -> memory.setPsi(psi(psi)));
        SwapUsage.Builder swap = SwapUsage.newBuilder().setTimestamp(at);
        set(usage.swapUsageBytes(), swap::setSwapUsageBytes);
        set(usage.swapAvailableBytes(), swap::setSwapAvailableBytes);
        stats.setCpu(cpu).setMemory(memory).setSwap(swap);
        usage.ioPsi().ifPresent(psi -> stats.setIo(IoUsage.newBuilder().setTimestamp(at).setPsi(psi(psi))));
    }

    /** CPU nanoseconds a second since the last reading that is long enough ago; empty at the first. */
    private OptionalLong rate(String id, long atNanos, long cpuNanos) {
        @Nullable
        Sample before = samples.get(id);
        if (before == null) {
            samples.put(id, new Sample(atNanos, cpuNanos, OptionalLong.empty()));
            return OptionalLong.empty();
        }
        long elapsed = atNanos - before.atNanos;
        if (elapsed < MIN_RATE_NANOS) {
            return before.rate;
        }
        long rate = Math.max(0, (long) ((double) (cpuNanos - before.cpuNanos) * 1e9 / elapsed));
        samples.put(id, new Sample(atNanos, cpuNanos, OptionalLong.of(rate)));
        return OptionalLong.of(rate);
    }

    /** A filesystem's use as the CRI has it. */
    public static FilesystemUsage filesystem(Images.Usage usage, long atNanos, String mountpoint) {
        return FilesystemUsage.newBuilder().setTimestamp(atNanos)
                .setFsId(FilesystemIdentifier.newBuilder().setMountpoint(mountpoint))
                .setUsedBytes(UInt64Value.newBuilder().setValue(usage.bytes()))
                .setInodesUsed(UInt64Value.newBuilder().setValue(usage.inodes())).build();
    }

    private static void set(OptionalLong value, Consumer<UInt64Value> setter) {
        value.ifPresent(known -> setter.accept(UInt64Value.newBuilder().setValue(known).build()));
    }

    private static PsiStats psi(CgroupUsage.Psi psi) {
        return PsiStats.newBuilder().setSome(line(psi.some())).setFull(line(psi.full())).build();
    }

    private static PsiData line(CgroupUsage.Line line) {
        // The CRI wants nanoseconds, the kernel counts microseconds.
        return PsiData.newBuilder().setTotal(line.totalMicros() * 1000).setAvg10(line.avg10())
                .setAvg60(line.avg60()).setAvg300(line.avg300()).build();
    }

    private static boolean matches(ContainerRecord record, ContainerStatsFilter filter) {
        return record.id().startsWith(filter.getId())
                && record.sandboxId().startsWith(filter.getPodSandboxId())
                && Labels.match(filter.getLabelSelectorMap(), record.config().getLabelsMap());
    }

    private record Sample(long atNanos, long cpuNanos, OptionalLong rate) {}
}
