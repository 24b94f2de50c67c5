package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerStats;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.UpdateContainerResourcesRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Cgroups;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class ResourcesIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    ResourcesIT(String handler) {
        this.handler = handler;
    }

    private static final long MEMORY_LIMIT = 64 << 20;

    @Test
    void theMemoryLimitIsTheOneThatTheContainerSees() {
        try (PodHandle pod = NODE.pod("memory", handler)) {
            String seen = pod.start(limited("main", "sleep", "1000"))
                    .sh("cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max");

            assertThat(seen).isEqualTo(Long.toString(MEMORY_LIMIT));
        }
    }

    @Test
    void cpuQuotaAndSharesAreTheOnesThatTheContainerSees() {
        ContainerConfig.Builder container = Configs.container("main", NODE.busybox(), "sleep", "1000");
        container.getLinuxBuilder().setResources(
                LinuxContainerResources.newBuilder().setCpuPeriod(100_000).setCpuQuota(50_000)
                        .setCpuShares(512));
        try (PodHandle pod = NODE.pod("cpu", handler)) {
            ContainerHandle started = pod.start(container);

            assertThat(
                    started.sh("cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us"
                            + " 2>/dev/null || cat /sys/fs/cgroup/cpu.max").replace('\n', ' '))
                    .isEqualTo("50000 100000");
            assertThat(started
                    .sh("cat /sys/fs/cgroup/cpu/cpu.shares 2>/dev/null || cat /sys/fs/cgroup/cpu.weight"))
                    .isIn("512", "20", "59");
        }
    }

    @Test
    void aContainerThatOutgrowsItsMemoryIsReportedAsOomKilled() {
        try (PodHandle pod = NODE.pod("oom", handler)) {
            // tail keeps all of a line in memory, and this one has no end.
            ContainerStatus status = pod.start(limited("hungry", "tail", "/dev/zero")).awaitExit();

            assertThat(status.getExitCode()).isEqualTo(137);
            assertThat(status.getReason()).isEqualTo("OOMKilled");
        }
    }

    @Test
    void oomOfOneContainerLeavesTheOthersOfItsPodAlone() {
        try (PodHandle pod = NODE.pod("oomone", handler)) {
            ContainerHandle neighbour = pod.start(limited("neighbour", "sleep", "1000"));
            pod.start(limited("hungry", "tail", "/dev/zero")).awaitExit();

            assertThat(neighbour.sh("echo still here")).isEqualTo("still here");
        }
    }

    @Test
    void theCgroupIsBelowThatOfThePod() throws IOException {
        try (PodHandle pod = NODE.pod("parent", handler)) {
            pod.start(limited("main", "sleep", "1000"));
            String parent = pod.config().getLinux().getCgroupParent();

            assertThat(Cgroups.all()).filteredOn(path -> path.toString().contains(parent + "/"))
                    .anyMatch(path -> hasProcesses(path.resolve("cgroup.procs")));
        }
    }

    @Test
    void theOutOfMemoryScoreIsTheContainers() {
        ContainerConfig.Builder container = Configs.container("main", NODE.busybox(), "sleep", "1000");
        container.getLinuxBuilder().setResources(LinuxContainerResources.newBuilder().setOomScoreAdj(900));
        try (PodHandle pod = NODE.pod("oomscore", handler)) {
            assertThat(pod.start(container).sh("cat /proc/1/oom_score_adj")).isEqualTo("900");
        }
    }

    @Test
    void changedResourcesAreInForceAtOnceAndReported() {
        try (PodHandle pod = NODE.pod("changed", handler)) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "sleep 1000 & sleep 1000"));
            Await.until("both run", Duration.ofSeconds(10), () -> container.sh("pidof sleep | wc -w"),
                    "2"::equals);
            NODE.cri().runtime().updateContainerResources(UpdateContainerResourcesRequest.newBuilder()
                    .setContainerId(container.id()).setLinux(LinuxContainerResources.newBuilder()
                            .setMemoryLimitInBytes(64 << 20).setCpuShares(512).setOomScoreAdj(777))
                    .build());

            assertThat(container.sh("cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null"
                    + " || cat /sys/fs/cgroup/memory.max")).isEqualTo(Integer.toString(64 << 20));
            assertThat(container.sh("for p in $(pidof sleep); do cat /proc/$p/oom_score_adj; done").lines())
                    .containsExactly("777", "777");
            LinuxContainerResources reported = container.status().getResources().getLinux();
            assertThat(reported.getMemoryLimitInBytes()).isEqualTo(64 << 20);
            assertThat(reported.getCpuShares()).isEqualTo(512);
            assertThat(reported.getOomScoreAdj()).isEqualTo(777);
        }
    }

    @Test
    void statsCountWhatTheContainerUses() {
        try (PodHandle pod = NODE.pod("stats", handler)) {
            ContainerHandle container = pod.start(limited("main", "sleep", "1000"));
            ContainerStats before = container.stats();
            container.sh("dd if=/dev/zero of=/written bs=1M count=8 2>/dev/null; i=0;"
                    + " while [ $i -lt 100000 ]; do i=$((i+1)); done");
            ContainerStats after = Await.until("8 MiB are counted", Duration.ofSeconds(30), container::stats,
                    stats -> stats.getWritableLayer().getUsedBytes().getValue() >= 8 << 20);

            assertThat(after.getAttributes().getId()).isEqualTo(container.id());
            assertThat(after.getCpu().getUsageCoreNanoSeconds().getValue())
                    .isGreaterThan(before.getCpu().getUsageCoreNanoSeconds().getValue() + 1_000_000);
            assertThat(after.getMemory().getWorkingSetBytes().getValue()).isBetween(1L, MEMORY_LIMIT);
            assertThat(after.getCpu().getTimestamp()).isGreaterThan(before.getCpu().getTimestamp());
            assertThat(after.getWritableLayer().getInodesUsed().getValue()).isPositive();
        }
    }

    private static boolean hasProcesses(Path procs) {
        try {
            return !Files.readString(procs).isEmpty();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static ContainerConfig.Builder limited(String name, String... command) {
        ContainerConfig.Builder container = Configs.container(name, NODE.busybox(), command);
        container.getLinuxBuilder()
                .setResources(LinuxContainerResources.newBuilder().setMemoryLimitInBytes(MEMORY_LIMIT));
        return container;
    }
}
