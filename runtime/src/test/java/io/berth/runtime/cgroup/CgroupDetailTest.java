package io.berth.runtime.cgroup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.HugepageLimit;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.runtime.cgroup.CgroupDetail.DeviceIo;
import io.berth.runtime.cgroup.CgroupDetail.HugePages;
import io.berth.runtime.cgroup.Cgroups.Driver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Made-up cgroup files of both versions, with the kernel's own contents. */
class CgroupDetailTest {
    @TempDir
    private Path root;

    @Test
    void readsVersion2() throws IOException {
        NodeCgroups cgroups = v2();
        file("pod/cpu.stat", "usage_usec 5000000\nuser_usec 3000000\nsystem_usec 2000000\nnr_periods 10\n"
                + "nr_throttled 4\nthrottled_usec 700000");
        file("pod/cpu.max", "50000 100000");
        file("pod/cpu.weight", "39");
        file("pod/memory.current", "1000");
        file("pod/memory.peak", "2000");
        file("pod/memory.max", "max");
        file("pod/memory.low", "0");
        file("pod/memory.swap.max", "4096");
        file("pod/memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2");
        file("pod/memory.stat", "anon 100\nfile 500\nkernel 60\nfile_mapped 50\ninactive_file 200\n"
                + "active_file 300\npgfault 9\npgmajfault 1");
        file("pod/io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n8:16 ");
        file("pod/hugetlb.2MB.current", "4194304");
        file("pod/hugetlb.2MB.rsvd.current", "1");
        file("pod/pids.current", "5");
        file("pod/pids.max", "max");
        file("pod/cgroup.procs", "");
        file("pod/child/cgroup.procs", "11\n12\n0\n");

        CgroupDetail detail = cgroups.detail("/pod").orElseThrow();

        assertThat(detail.path()).isEqualTo("/pod");
        assertThat(detail.usage().memoryWorkingSetBytes()).hasValue(800);
        assertThat(detail.cpu()).isEqualTo(new CgroupDetail.Cpu(OptionalLong.of(3_000_000_000L),
                OptionalLong.of(2_000_000_000L), OptionalLong.of(10), OptionalLong.of(4),
                OptionalLong.of(700_000_000), OptionalLong.of(998), OptionalLong.of(50_000),
                OptionalLong.of(100_000)));
        assertThat(detail.memory().cache()).hasValue(500);
        assertThat(detail.memory().kernel()).hasValue(60);
        assertThat(detail.memory().peak()).hasValue(2000);
        assertThat(detail.memory().limitHits()).hasValue(3);
        assertThat(detail.memory().reservation()).isEmpty();
        assertThat(detail.memory().swapLimit()).hasValue(4096);
        assertThat(detail.io()).containsExactly(new DeviceIo(8, 0, 1, 2, 3, 4));
        assertThat(detail.hugePages()).containsExactly(new HugePages("2MB", 4_194_304, OptionalLong.empty()));
        assertThat(detail.tasks().pids()).containsExactly(11L, 12L);
        assertThat(detail.tasks().threads()).hasValue(5);
        assertThat(detail.tasks().threadLimit()).isEmpty();
        assertThat(detail.oomKills()).isEqualTo(2);
        assertThat(cgroups.processCount("/pod")).isEqualTo(2);
        assertThat(cgroups.detail("/absent")).isEmpty();
    }

    @Test
    void readsVersion1() throws IOException {
        NodeCgroups cgroups = v1();
        file("cpuacct/pod/cpuacct.usage", "5000");
        file("cpuacct/pod/cpuacct.usage_user", "3000");
        file("cpuacct/pod/cpuacct.usage_sys", "2000");
        file("cpu/pod/cpu.stat", "nr_periods 10\nnr_throttled 4\nthrottled_time 700");
        file("cpu/pod/cpu.shares", "512");
        file("cpu/pod/cpu.cfs_quota_us", "-1");
        file("cpu/pod/cpu.cfs_period_us", "100000");
        file("memory/pod/memory.limit_in_bytes", "1000");
        file("memory/pod/memory.memsw.limit_in_bytes", "1500");
        file("memory/pod/memory.soft_limit_in_bytes", "9223372036854771712");
        file("memory/pod/memory.failcnt", "7");
        file("memory/pod/memory.stat", "pgfault 1\npgmajfault 0\ntotal_cache 50\ntotal_pgfault 9");
        file("memory/pod/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1");
        file("blkio/pod/blkio.throttle.io_service_bytes_recursive",
                "254:0 Read 10\n254:0 Write 20\n254:0 Total 30\nTotal 30");
        file("blkio/pod/blkio.throttle.io_serviced_recursive", "254:0 Read 1\n254:0 Write 2\nTotal 3");
        file("pids/pod/cgroup.procs", "21\n");
        file("pids/pod/pids.max", "100");

        CgroupDetail detail = cgroups.detail("/pod").orElseThrow();

        assertThat(detail.cpu()).isEqualTo(new CgroupDetail.Cpu(OptionalLong.of(3000), OptionalLong.of(2000),
                OptionalLong.of(10), OptionalLong.of(4), OptionalLong.of(700), OptionalLong.of(512),
                OptionalLong.empty(), OptionalLong.of(100_000)));
        assertThat(detail.memory().cache()).hasValue(50);
        assertThat(detail.memory().limitHits()).hasValue(7);
        assertThat(detail.memory().reservation()).isEmpty();
        assertThat(detail.memory().swapLimit()).hasValue(500);
        assertThat(detail.memory().ownPageFaults()).hasValue(1);
        assertThat(detail.usage().pageFaults()).hasValue(9);
        assertThat(detail.io()).containsExactly(new DeviceIo(254, 0, 10, 20, 1, 2));
        assertThat(detail.tasks().pids()).containsExactly(21L);
        assertThat(detail.tasks().threadLimit()).hasValue(100);
        assertThat(detail.oomKills()).isEqualTo(1);
    }

    @Test
    void limitsVersion2() throws IOException {
        NodeCgroups cgroups = v2();
        for (String name : new String[]{"cpu.weight", "cpu.max", "cpuset.cpus", "memory.max",
                "memory.swap.max", "memory.high", "hugetlb.2MB.max"}) {
            file("pod/" + name, "old");
        }
        file("pod/cpu.max", "max 100000");
        cgroups.limit("/pod", LinuxContainerResources.newBuilder().setCpuShares(1024).setCpuPeriod(50_000)
                .setCpusetCpus("0-1").setMemoryLimitInBytes(1000).setMemorySwapLimitInBytes(1500)
                .addHugepageLimits(HugepageLimit.newBuilder().setPageSize("2MB").setLimit(7))
                .putUnified("memory.high", "900").build());
        assertThat(root.resolve("pod/cpu.weight")).hasContent("39");
        assertThat(root.resolve("pod/cpu.max")).hasContent("max 50000");
        assertThat(root.resolve("pod/cpuset.cpus")).hasContent("0-1");
        assertThat(root.resolve("pod/memory.max")).hasContent("1000");
        assertThat(root.resolve("pod/memory.swap.max")).hasContent("500");
        assertThat(root.resolve("pod/memory.high")).hasContent("900");
        assertThat(root.resolve("pod/hugetlb.2MB.max")).hasContent("7");

        cgroups.limit("/pod",
                LinuxContainerResources.newBuilder().setCpuQuota(-1).setMemoryLimitInBytes(-1).build());
        assertThat(root.resolve("pod/cpu.max")).hasContent("max");
        assertThat(root.resolve("pod/memory.max")).hasContent("max");
        assertThat(root.resolve("pod/cpu.weight")).hasContent("39");
    }

    @Test
    void limitsTheMachinesOwnCgroups() throws IOException {
        NodeCgroups cgroups = NodeCgroups.detect("cgroupfs");
        String pod = "/berth-test-" + ProcessHandle.current().pid() + "-limits";
        cgroups.createPod(pod, "sandbox");
        try {
            // Up, down and away again: memory and swap must never pass each other.
            for (long megabytes : new long[]{64, 256, 32}) {
                cgroups.limit(pod, LinuxContainerResources.newBuilder()
                        .setMemoryLimitInBytes(megabytes << 20).setMemorySwapLimitInBytes(megabytes << 20)
                        .setCpuPeriod(100_000).setCpuQuota(megabytes * 1000).setCpuShares(256).build());
                CgroupDetail detail = cgroups.detail(pod).orElseThrow();
                assertThat(detail.usage().memoryLimitBytes()).hasValue(megabytes << 20);
                assertThat(detail.cpu().quotaMicros()).hasValue(megabytes * 1000);
            }
            cgroups.limit(pod, LinuxContainerResources.newBuilder().setMemoryLimitInBytes(128 << 20).build());
            assertThat(cgroups.usage(pod).orElseThrow().memoryLimitBytes()).hasValue(128 << 20);
            cgroups.limit(pod,
                    LinuxContainerResources.newBuilder().setMemoryLimitInBytes(-1).setCpuQuota(-1).build());
            assertThat(cgroups.usage(pod).orElseThrow().memoryLimitBytes()).isEmpty();
            assertThat(cgroups.detail(pod).orElseThrow().cpu().quotaMicros()).isEmpty();
        } finally {
            cgroups.killAndRemove(pod);
        }
    }

    @Test
    void aLimitThatCannotBeWrittenNamesItsFile() throws IOException {
        Files.createDirectories(root.resolve("pod"));
        assertThatThrownBy(() -> v2().limit("/pod",
                LinuxContainerResources.newBuilder().setMemoryLimitInBytes(1000).build()))
                .isInstanceOf(IOException.class).hasMessageContaining("pod/memory.max");
    }

    private NodeCgroups v2() {
        return new NodeCgroups(new CgroupLayout(Map.of(), Optional.of(root)), Driver.CGROUPFS);
    }

    private NodeCgroups v1() {
        Map<String, Path> mounts = new LinkedHashMap<>();
        for (String controller : new String[]{"cpu", "cpuacct", "memory", "blkio", "pids"}) {
            mounts.put(controller, root.resolve(controller));
        }
        return new NodeCgroups(new CgroupLayout(mounts, Optional.empty()), Driver.CGROUPFS);
    }

    private void file(String path, String text) throws IOException {
        Files.createDirectories(root.resolve(path).getParent());
        Files.writeString(root.resolve(path), text);
    }
}
