package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStats;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.HugepageLimit;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.LinuxPodSandboxStats;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxStatsRequest;
import io.berth.cri.v1.UpdateContainerResourcesRequest;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** What only version 2 of control groups has, or has in other files; {@link ResourcesIT} is for both. */
@NeedsFeature(NodeFeature.CGROUP_V2)
@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class CgroupV2IT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    CgroupV2IT(String handler) {
        this.handler = handler;
    }

    private static final long MIB = 1 << 20;

    @Test
    void everyLimitIsInItsFile() {
        try (PodHandle pod = NODE.pod("limits", handler)) {
            ContainerHandle container = pod.start(limited(LinuxContainerResources.newBuilder()
                    .setMemoryLimitInBytes(64 * MIB).setMemorySwapLimitInBytes(96 * MIB)
                    .setCpuPeriod(100_000).setCpuQuota(50_000).setCpuShares(1024)
                    .setCpusetCpus("0").setCpusetMems("0")
                    .addHugepageLimits(HugepageLimit.newBuilder().setPageSize("2MB").setLimit(4 * MIB))
                    .putUnified("memory.high", Long.toString(48 * MIB)).putUnified("pids.max", "77")));

            assertThat(file(container, "memory.max")).isEqualTo(Long.toString(64 * MIB));
            assertThat(file(container, "memory.swap.max")).isEqualTo(Long.toString(32 * MIB));
            assertThat(file(container, "cpu.max")).isEqualTo("50000 100000");
            // runc and crun come from shares to a weight by the same line; newer ones by a curve.
            assertThat(file(container, "cpu.weight")).isIn("39", "100");
            assertThat(file(container, "cpuset.cpus")).isEqualTo("0");
            assertThat(file(container, "cpuset.mems")).isEqualTo("0");
            assertThat(file(container, "hugetlb.2MB.max")).isEqualTo(Long.toString(4 * MIB));
            assertThat(file(container, "memory.high")).isEqualTo(Long.toString(48 * MIB));
            assertThat(file(container, "pids.max")).isEqualTo("77");
        }
    }

    @Test
    void everyLimitChangesWhileTheContainerRuns() {
        try (PodHandle pod = NODE.pod("update", handler)) {
            ContainerHandle container = pod.start(limited(LinuxContainerResources.newBuilder()
                    .setMemoryLimitInBytes(64 * MIB).setCpuPeriod(100_000).setCpuQuota(50_000)
                    .setCpuShares(1024)));
            update(container, LinuxContainerResources.newBuilder().setMemoryLimitInBytes(128 * MIB)
                    .setMemorySwapLimitInBytes(160 * MIB).setCpuPeriod(50_000).setCpuQuota(20_000)
                    .setCpuShares(2).setCpusetCpus("0").putUnified("memory.high", Long.toString(100 * MIB)));

            assertThat(file(container, "memory.max")).isEqualTo(Long.toString(128 * MIB));
            assertThat(file(container, "memory.swap.max")).isEqualTo(Long.toString(32 * MIB));
            assertThat(file(container, "cpu.max")).isEqualTo("20000 50000");
            assertThat(file(container, "cpu.weight")).isEqualTo("1");
            assertThat(file(container, "cpuset.cpus")).isEqualTo("0");
            assertThat(file(container, "memory.high")).isEqualTo(Long.toString(100 * MIB));
            LinuxContainerResources told = container.status().getResources().getLinux();
            assertThat(told.getMemoryLimitInBytes()).isEqualTo(128 * MIB);
            assertThat(told.getCpuQuota()).isEqualTo(20_000);
        }
    }

    /** kubelet asks for the group's end unless it is told singleProcessOOMKill. */
    @Test
    void aProcessThatOutgrowsTheMemoryTakesTheContainerWithItWhereAskedFor() {
        try (PodHandle pod = NODE.pod("group", handler)) {
            ContainerHandle alone = pod.start(hungryChild("alone", "0"));
            ContainerStatus together = pod.start(hungryChild("together", "1")).awaitExit();

            assertThat(alone.awaitLog(1)).extracting(LogLine::text).containsExactly("137");
            assertThat(alone.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
            assertThat(together.getExitCode()).isEqualTo(137);
            assertThat(together.getReason()).isEqualTo("OOMKilled");
        }
    }

    @Test
    void statsHaveEveryFieldOfTheKernel() {
        try (PodHandle pod = NODE.pod("stats", handler)) {
            ContainerHandle container = pod.start(limited(
                    LinuxContainerResources.newBuilder().setMemoryLimitInBytes(64 * MIB)));
            container.sh(
                    "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done; head -c 4000000 /dev/zero > /tmp/x");
            ContainerStats stats = container.stats();

            assertThat(stats.getCpu().getUsageCoreNanoSeconds().getValue()).isPositive();
            assertThat(stats.getMemory().getWorkingSetBytes().getValue()).isBetween(1L, 64 * MIB);
            assertThat(stats.getMemory().getAvailableBytes().getValue()).isBetween(1L, 64 * MIB);
            assertThat(stats.getMemory().getUsageBytes().getValue()).isGreaterThan(4_000_000);
            assertThat(stats.getMemory().getRssBytes().getValue()).isPositive();
            assertThat(stats.getMemory().getPageFaults().getValue()).isPositive();
            assertThat(stats.getSwap().hasSwapUsageBytes()).isTrue();
            // A busy container has waited for the CPU by the microsecond at least.
            assertThat(stats.getCpu().getPsi().getSome().getTotal()).isPositive();
            assertThat(stats.getMemory().hasPsi()).isTrue();
            assertThat(stats.getIo().hasPsi()).isTrue();

            LinuxPodSandboxStats podStats = NODE.cri().runtime().podSandboxStats(
                    PodSandboxStatsRequest.newBuilder().setPodSandboxId(pod.id()).build()).getStats()
                    .getLinux();
            assertThat(podStats.getCpu().getUsageCoreNanoSeconds().getValue()).isPositive();
            assertThat(podStats.getCpu().getPsi().getSome().getTotal()).isPositive();
            assertThat(podStats.getMemory().getWorkingSetBytes().getValue()).isPositive();
            assertThat(podStats.getMemory().hasPsi()).isTrue();
            assertThat(podStats.getIo().hasPsi()).isTrue();
            assertThat(podStats.getProcess().getProcessCount().getValue()).isPositive();
        }
    }

    @Test
    void aPrivilegedContainerSeesTheNodesHierarchyAndLeavesItsOptionsAlone() throws IOException {
        String before = hierarchyOptions();
        PodSandboxConfig.Builder config = Configs.pod("privileged", NODE.logs());
        config.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerConfig.Builder container = limited(LinuxContainerResources.newBuilder());
            container.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);

            String parent = "/sys/fs/cgroup" + config.getLinux().getCgroupParent();
            assertThat(pod.start(container).sh("ls -d " + parent + "; mkdir /sys/fs/cgroup/e2e-probe"
                    + " && rmdir /sys/fs/cgroup/e2e-probe && echo writable"))
                    .isEqualTo(parent + "\nwritable");
            assertThat(hierarchyOptions()).isEqualTo(before);
        }
    }

    private static String hierarchyOptions() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/mounts")).stream()
                .filter(line -> line.split(" ")[1].equals("/sys/fs/cgroup")).findFirst().orElseThrow();
    }

    private static String file(ContainerHandle container, String name) {
        return container.sh("cat /sys/fs/cgroup/" + name);
    }

    private static void update(ContainerHandle container, LinuxContainerResources.Builder wanted) {
        NODE.cri().runtime().updateContainerResources(UpdateContainerResourcesRequest.newBuilder()
                .setContainerId(container.id()).setLinux(wanted).build());
    }

    /** Its shell tells how its child ended. */
    private static ContainerConfig.Builder hungryChild(String name, String group) {
        ContainerConfig.Builder container = Configs.container(name, NODE.busybox(), "sh", "-c",
                "tail /dev/zero 2>/dev/null; echo $?; sleep 1000");
        container.getLinuxBuilder().setResources(LinuxContainerResources.newBuilder()
                .setMemoryLimitInBytes(64 * MIB).putUnified("memory.oom.group", group));
        return container;
    }

    private static ContainerConfig.Builder limited(LinuxContainerResources.Builder limits) {
        ContainerConfig.Builder container = Configs.container("main", NODE.busybox(), "sleep", "1000");
        container.getLinuxBuilder().setResources(limits);
        return container;
    }
}
