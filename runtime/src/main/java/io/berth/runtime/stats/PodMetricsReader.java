package io.berth.runtime.stats;

import io.berth.cri.v1.ContainerMetrics;
import io.berth.cri.v1.MetricDescriptor;
import io.berth.cri.v1.PodSandboxMetadata;
import io.berth.cri.v1.PodSandboxMetrics;
import io.berth.linux.Filesystem;
import io.berth.linux.RawPath;
import io.berth.runtime.cgroup.CgroupDetail;
import io.berth.runtime.container.Container;
import io.berth.runtime.container.ContainerDeps;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.state.ContainerRecord;
import io.berth.runtime.state.SandboxRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CRI metrics, which kubelet serves in place of cAdvisor's; read as {@link PodStatsReader} does. */
public final class PodMetricsReader {
    private static final Logger log = LoggerFactory.getLogger(PodMetricsReader.class);
    private static final Path PROC = Path.of("/proc");
    private static final long SECOND = Duration.ofSeconds(1).toNanos();

    private final ContainerDeps deps;
    private final WritableLayers layers;
    private final PodInterfaces interfaces;

    /** @param stats whose measurements of writable layers are shared */
    public PodMetricsReader(ContainerDeps deps, ContainerStatsReader stats, PodInterfaces interfaces) {
        this.deps = deps;
        this.layers = stats.layers();
        this.interfaces = interfaces;
    }

    /** CRI {@code ListMetricDescriptors}: every metric that may come, and its labels. */
    public static List<MetricDescriptor> descriptors() {
        return MetricFamily.descriptors();
    }

    /** CRI {@code ListPodSandboxMetrics}: of every ready pod and its running containers. */
    public List<PodSandboxMetrics> list() {
        Optional<Disk> disk = disk();
        return deps.sandboxes().all().stream().filter(Sandbox::ready)
                .map(sandbox -> read(sandbox.record(), disk)).toList();
    }

    private PodSandboxMetrics read(SandboxRecord record, Optional<Disk> disk) {
        PodSandboxMetrics.Builder pod = PodSandboxMetrics.newBuilder().setPodSandboxId(record.id());
        Optional<CgroupDetail> detail = deps.cgroups().detail(record.cgroup());
        String cgroup = detail.map(CgroupDetail::path).orElse(record.cgroup());
        PodSandboxMetadata metadata = record.config().getMetadata();
        Instant now = deps.clock().instant();
        MetricSamples samples = new MetricSamples(
                List.of("", cgroup, "", "", metadata.getNamespace(), metadata.getName()), Times.nanos(now));
        detail.ifPresent(known -> CgroupMetrics.use(known, samples));
        interfaces.read(record).ifPresent(counters -> CgroupMetrics.network(counters, samples));
        samples.add(MetricFamily.START_TIME, record.createdAtNanos() / SECOND);
        samples.add(MetricFamily.LAST_SEEN, now.getEpochSecond());
        pod.addAllMetrics(samples.metrics());
        deps.containers().ofSandbox(record.id()).stream().filter(Container::running)
                .forEach(container -> read(container.record(), metadata, disk)
                        .ifPresent(pod::addContainerMetrics));
        return pod.build();
    }

    /** Empty for a container that is just ending. */
    private Optional<ContainerMetrics> read(ContainerRecord record, PodSandboxMetadata pod,
            Optional<Disk> disk) {
        return deps.cgroups().detail(record.cgroupsPath()).map(detail -> {
            Instant now = deps.clock().instant();
            MetricSamples samples = new MetricSamples(
                    List.of(record.config().getMetadata().getName(), detail.path(), record.image().name(),
                            record.id(), pod.getNamespace(), pod.getName()),
                    Times.nanos(now));
            CgroupMetrics.use(detail, samples);
            List<Long> pids = detail.tasks().pids();
            ProcessFiles files = ProcessFiles.count(PROC, pids);
            samples.add(MetricFamily.FILE_DESCRIPTORS, files.descriptors());
            samples.add(MetricFamily.SOCKETS, files.sockets());
            samples.add(MetricFamily.ULIMITS_SOFT,
                    ProcessFiles.openFilesLimit(PROC, record.process().pid()),
                    "max_open_files");
            disk.ifPresent(known -> disk(record.id(), known, samples));
            samples.add(MetricFamily.START_TIME, record.times().started() / SECOND);
            samples.add(MetricFamily.LAST_SEEN, now.getEpochSecond());
            return ContainerMetrics.newBuilder().setContainerId(record.id())
                    .addAllMetrics(samples.metrics()).build();
        });
    }

    private void disk(String containerId, Disk disk, MetricSamples samples) {
        layers.usage(containerId).ifPresent(measured -> samples.add(MetricFamily.FS_USAGE,
                measured.usage().bytes(), disk.device));
        samples.add(MetricFamily.FS_LIMIT, disk.filesystem.totalBytes(), disk.device);
        if (disk.filesystem.totalInodes() > 0) {
            samples.add(MetricFamily.FS_INODES, disk.filesystem.totalInodes(), disk.device);
            samples.add(MetricFamily.FS_INODES_FREE, disk.filesystem.freeInodes(), disk.device);
        }
    }

    /** What all writable layers are on. */
    private Optional<Disk> disk() {
        Path root = deps.images().root();
        try {
            return Optional.of(new Disk(Files.getFileStore(root).name(), Filesystem.of(RawPath.of(root))));
        } catch (IOException e) {
            log.atWarn().addKeyValue("path", root).setCause(e).log("cannot read the filesystem of images");
            return Optional.empty();
        }
    }

    private record Disk(String device, Filesystem filesystem) {}
}
