package io.berth.runtime.stats;

import io.berth.cri.v1.LinuxPodSandboxStats;
import io.berth.cri.v1.PodSandboxAttributes;
import io.berth.cri.v1.PodSandboxStats;
import io.berth.cri.v1.PodSandboxStatsFilter;
import io.berth.cri.v1.ProcessUsage;
import io.berth.runtime.cgroup.CgroupUsage;
import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.container.Container;
import io.berth.runtime.container.Containers;
import io.berth.runtime.lifecycle.Labels;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.sandbox.Sandboxes;
import io.berth.runtime.state.ContainerPhase;
import io.berth.runtime.state.SandboxRecord;
import java.io.IOException;
import java.time.Clock;
import java.util.List;
import java.util.OptionalLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CRI pod statistics, from the pod's own cgroup, its network namespace and its containers; no shim is asked. */
public final class PodStatsReader {
    private static final Logger log = LoggerFactory.getLogger(PodStatsReader.class);

    private final Sandboxes sandboxes;
    private final Containers containers;
    private final ContainerStatsReader containerStats;
    private final Cgroups cgroups;
    private final PodInterfaces interfaces;
    private final Clock clock;
    private final CpuRates rates = new CpuRates();

    public PodStatsReader(Sandboxes sandboxes, Containers containers, ContainerStatsReader containerStats,
            Cgroups cgroups, PodInterfaces interfaces, Clock clock) {
        this.sandboxes = sandboxes;
        this.containers = containers;
        this.containerStats = containerStats;
        this.cgroups = cgroups;
        this.interfaces = interfaces;
        this.clock = clock;
    }

    /** Statistics of the ready pods that match every condition of {@code filter}; its id may be a prefix. */
    public List<PodSandboxStats> list(PodSandboxStatsFilter filter) {
        List<Sandbox> all = sandboxes.all();
        rates.retainAll(all.stream().map(Sandbox::id).toList());
        return all.stream().filter(Sandbox::ready).filter(sandbox -> matches(sandbox.record(), filter))
                .map(this::read).toList();
    }

    /** Statistics of one pod. One that is stopped uses nothing; it has its attributes only. */
    public PodSandboxStats read(Sandbox sandbox) {
        SandboxRecord record = sandbox.record();
        PodSandboxStats.Builder stats = PodSandboxStats.newBuilder().setAttributes(attributes(record));
        if (sandbox.ready()) {
            stats.setLinux(linux(record));
        }
        return stats.build();
    }

    private LinuxPodSandboxStats linux(SandboxRecord record) {
        LinuxPodSandboxStats.Builder linux = LinuxPodSandboxStats.newBuilder();
        cgroups.usage(record.cgroup()).ifPresent(usage -> fill(record, usage, linux));
        interfaces.read(record).ifPresent(counters -> linux.setNetwork(
                UsageMessages.network(counters, Times.nanos(clock.instant()))));
        containers.ofSandbox(record.id()).stream().filter(PodStatsReader::alive)
                .forEach(container -> linux.addContainers(containerStats.read(container)));
        return linux.build();
    }

    private void fill(SandboxRecord record, CgroupUsage usage, LinuxPodSandboxStats.Builder linux) {
        long at = Times.nanos(usage.at());
        OptionalLong nanoCores = usage.cpuNanos().isPresent()
                ? rates.rate(record.id(), at, usage.cpuNanos().getAsLong())
                : OptionalLong.empty();
        linux.setCpu(UsageMessages.cpu(usage, nanoCores)).setMemory(UsageMessages.memory(usage));
        UsageMessages.io(usage).ifPresent(linux::setIo);
        try {
            linux.setProcess(ProcessUsage.newBuilder().setTimestamp(at)
                    .setProcessCount(UsageMessages.value(cgroups.processCount(record.cgroup()))));
        } catch (IOException e) {
            // The rest of the statistics is worth having without it.
            log.atDebug().addKeyValue("sandbox", record.id()).setCause(e).log("cannot count processes");
        }
    }

    private static PodSandboxAttributes attributes(SandboxRecord record) {
        return PodSandboxAttributes.newBuilder().setId(record.id())
                .setMetadata(record.config().getMetadata())
                .putAllLabels(record.config().getLabelsMap())
                .putAllAnnotations(record.config().getAnnotationsMap()).build();
    }

    private static boolean alive(Container container) {
        ContainerPhase phase = container.record().phase();
        return phase == ContainerPhase.CREATED || phase == ContainerPhase.RUNNING;
    }

    private static boolean matches(SandboxRecord record, PodSandboxStatsFilter filter) {
        return record.id().startsWith(filter.getId())
                && Labels.match(filter.getLabelSelectorMap(), record.config().getLabelsMap());
    }
}
