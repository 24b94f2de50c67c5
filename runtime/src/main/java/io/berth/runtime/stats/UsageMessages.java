package io.berth.runtime.stats;

import io.berth.cri.v1.CpuUsage;
import io.berth.cri.v1.FilesystemIdentifier;
import io.berth.cri.v1.FilesystemUsage;
import io.berth.cri.v1.IoUsage;
import io.berth.cri.v1.MemoryUsage;
import io.berth.cri.v1.NetworkInterfaceUsage;
import io.berth.cri.v1.NetworkUsage;
import io.berth.cri.v1.PsiData;
import io.berth.cri.v1.PsiStats;
import io.berth.cri.v1.SwapUsage;
import io.berth.cri.v1.UInt64Value;
import io.berth.imagestore.Images;
import io.berth.linux.NetworkInterfaces;
import io.berth.runtime.cgroup.CgroupUsage;
import io.berth.runtime.lifecycle.Times;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;

/** What was read, as the CRI's messages; a value that is not known stays unset. */
public final class UsageMessages {
    /** What kubelet and CNI call a pod's own. */
    private static final String DEFAULT_INTERFACE = "eth0";

    private UsageMessages() {}

    static CpuUsage cpu(CgroupUsage usage, OptionalLong nanoCores) {
        CpuUsage.Builder cpu = CpuUsage.newBuilder().setTimestamp(Times.nanos(usage.at()));
        set(usage.cpuNanos(), cpu::setUsageCoreNanoSeconds);
        set(nanoCores, cpu::setUsageNanoCores);
        usage.cpuPsi().ifPresent(psi -> cpu.setPsi(psi(psi)));
        return cpu.build();
    }

    static MemoryUsage memory(CgroupUsage usage) {
        MemoryUsage.Builder memory = MemoryUsage.newBuilder().setTimestamp(Times.nanos(usage.at()));
        set(usage.memoryUsageBytes(), memory::setUsageBytes);
        set(usage.memoryWorkingSetBytes(), memory::setWorkingSetBytes);
        set(usage.memoryAvailableBytes(), memory::setAvailableBytes);
        set(usage.memoryRssBytes(), memory::setRssBytes);
        set(usage.pageFaults(), memory::setPageFaults);
        set(usage.majorPageFaults(), memory::setMajorPageFaults);
        usage.memoryPsi().ifPresent(psi -> memory.setPsi(psi(psi)));
        return memory.build();
    }

    static SwapUsage swap(CgroupUsage usage) {
        SwapUsage.Builder swap = SwapUsage.newBuilder().setTimestamp(Times.nanos(usage.at()));
        set(usage.swapUsageBytes(), swap::setSwapUsageBytes);
        set(usage.swapAvailableBytes(), swap::setSwapAvailableBytes);
        return swap.build();
    }

    /** Empty where the kernel keeps no account of pressure. */
    static Optional<IoUsage> io(CgroupUsage usage) {
        return usage.ioPsi().map(psi -> IoUsage.newBuilder().setTimestamp(Times.nanos(usage.at()))
                .setPsi(psi(psi)).build());
    }

    /** {@code eth0}, or the first there is, is the default; the others are listed. */
    static NetworkUsage network(List<NetworkInterfaces.Statistics> interfaces, long atNanos) {
        NetworkUsage.Builder network = NetworkUsage.newBuilder().setTimestamp(atNanos);
        Optional<NetworkInterfaces.Statistics> first = interfaces.stream()
                .filter(one -> one.name().equals(DEFAULT_INTERFACE)).findFirst()
                .or(() -> interfaces.stream().findFirst());
        first.ifPresent(one -> network.setDefaultInterface(networkInterface(one)));
        interfaces.stream().filter(one -> !first.equals(Optional.of(one)))
                .forEach(one -> network.addInterfaces(networkInterface(one)));
        return network.build();
    }

    /** A filesystem's use as the CRI has it. */
    public static FilesystemUsage filesystem(Images.Usage usage, long atNanos, String mountpoint) {
        return FilesystemUsage.newBuilder().setTimestamp(atNanos)
                .setFsId(FilesystemIdentifier.newBuilder().setMountpoint(mountpoint))
                .setUsedBytes(value(usage.bytes())).setInodesUsed(value(usage.inodes())).build();
    }

    static UInt64Value value(long number) {
        return UInt64Value.newBuilder().setValue(number).build();
    }

    private static NetworkInterfaceUsage networkInterface(NetworkInterfaces.Statistics counters) {
        return NetworkInterfaceUsage.newBuilder().setName(counters.name())
                .setRxBytes(value(counters.receivedBytes())).setRxErrors(value(counters.receiveErrors()))
                .setTxBytes(value(counters.sentBytes())).setTxErrors(value(counters.sendErrors())).build();
    }

    private static void set(OptionalLong number, Consumer<UInt64Value> setter) {
        number.ifPresent(known -> setter.accept(value(known)));
    }

    private static PsiStats psi(CgroupUsage.Psi psi) {
        return PsiStats.newBuilder().setSome(line(psi.some())).setFull(line(psi.full())).build();
    }

    private static PsiData line(CgroupUsage.Line line) {
        // The CRI wants nanoseconds, the kernel counts microseconds.
        return PsiData.newBuilder().setTotal(line.totalMicros() * 1000).setAvg10(line.avg10())
                .setAvg60(line.avg60()).setAvg300(line.avg300()).build();
    }
}
