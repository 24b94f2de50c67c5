package io.berth.runtime.stats;

import io.berth.cri.v1.ContainerStats;
import io.berth.cri.v1.ContainerStatsFilter;
import io.berth.runtime.cgroup.CgroupUsage;
import io.berth.runtime.container.Container;
import io.berth.runtime.container.ContainerDeps;
import io.berth.runtime.container.ContainerMessages;
import io.berth.runtime.lifecycle.Labels;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.state.ContainerRecord;
import java.util.List;
import java.util.OptionalLong;

/** CRI container statistics, from cgroup files and the writable layers; no shim is asked. */
public final class ContainerStatsReader {
    private final ContainerDeps deps;
    private final WritableLayers layers;
    private final CpuRates rates = new CpuRates();

    public ContainerStatsReader(ContainerDeps deps) {
        this.deps = deps;
        this.layers = new WritableLayers(deps.snapshots(), deps.clock());
    }

    /** Statistics of those that match every condition of {@code filter}; its ids may be prefixes. */
    public List<ContainerStats> list(ContainerStatsFilter filter) {
        List<Container> containers = deps.containers().all();
        List<String> ids = containers.stream().map(Container::id).toList();
        rates.retainAll(ids);
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
        layers.usage(record.id()).ifPresent(measured -> stats.setWritableLayer(UsageMessages.filesystem(
                measured.usage(), Times.nanos(measured.at()), deps.images().root().toString())));
        return stats.build();
    }

    /** How large the writable layers are. */
    WritableLayers layers() {
        return layers;
    }

    private void fill(String id, CgroupUsage usage, ContainerStats.Builder stats) {
        long at = Times.nanos(usage.at());
        OptionalLong nanoCores = usage.cpuNanos().isPresent()
                ? rates.rate(id, at, usage.cpuNanos().getAsLong())
                : OptionalLong.empty();
        stats.setCpu(UsageMessages.cpu(usage, nanoCores)).setMemory(UsageMessages.memory(usage))
                .setSwap(UsageMessages.swap(usage));
        UsageMessages.io(usage).ifPresent(stats::setIo);
    }

    private static boolean matches(ContainerRecord record, ContainerStatsFilter filter) {
        return record.id().startsWith(filter.getId())
                && record.sandboxId().startsWith(filter.getPodSandboxId())
                && Labels.match(filter.getLabelSelectorMap(), record.config().getLabelsMap());
    }
}
