package io.berth.runtime.cgroup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.runtime.cgroup.Cgroups.Driver;
import io.berth.runtime.cgroup.Cgroups.Mode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The machine's own cgroups (needs root), and a made-up node with systemd and version 2. */
class NodeCgroupsTest {
    private final String sandbox = "test-" + UUID.randomUUID();
    private final String parent = "/berth-" + sandbox;

    @TempDir
    private Path root;

    @AfterEach
    void removeParent() throws IOException {
        NodeCgroups.detect("cgroupfs").killAndRemove(parent);
    }

    @Test
    void makesReadsEndsAndRemovesACgroup() throws Exception {
        NodeCgroups cgroups = NodeCgroups.detect("cgroupfs");
        var pod = cgroups.createPod(parent, sandbox);
        assertThat(pod.path()).isEqualTo(parent);
        Process process = new ProcessBuilder("sh", "-c",
                "read go; head -c 20000000 /dev/zero | tail -c 1 > /dev/null; sleep 1000 & echo done; wait")
                .start();
        for (Path procs : pod.procsFiles()) {
            Files.writeString(procs, Long.toString(process.pid()));
        }
        process.outputWriter().append("go\n").flush();
        assertThat(process.inputReader().readLine()).isEqualTo("done");
        CgroupUsage usage = cgroups.usage(parent).orElseThrow();
        assertThat(usage.cpuNanos().orElseThrow()).isPositive();
        assertThat(usage.memoryUsageBytes().orElseThrow()).isPositive();
        assertThat(usage.memoryWorkingSetBytes().orElseThrow()).isLessThanOrEqualTo(
                usage.memoryUsageBytes().orElseThrow());
        assertThat(usage.pageFaults().orElseThrow()).isPositive();
        assertThat(usage.memoryLimitBytes()).isEmpty();
        assertThat(usage.processes().orElseThrow()).isGreaterThanOrEqualTo(2);
        assertThat(cgroups.processes(parent)).contains(process.pid());
        assertThat(cgroups.oomKills(parent)).isZero();

        cgroups.killAndRemove(parent);
        assertThat(process.waitFor()).isEqualTo(137);
        assertThat(cgroups.usage(parent)).isEmpty();
        assertThat(cgroups.processes(parent)).isEmpty();
        for (Path procs : pod.procsFiles()) {
            assertThat(procs.resolveSibling("")).doesNotExist();
        }
        cgroups.killAndRemove(parent);
    }

    @Test
    void countsOomKills() throws Exception {
        NodeCgroups cgroups = NodeCgroups.detect("cgroupfs");
        var pod = cgroups.createPod(parent, sandbox);
        Path limit = pod.procsFiles().stream().map(procs -> procs.resolveSibling("memory.limit_in_bytes"))
                .filter(Files::exists).findFirst()
                .orElseGet(() -> pod.procsFiles().getFirst().resolveSibling("memory.max"));
        Files.writeString(limit, "8388608");
        Process process = new ProcessBuilder("sh", "-c", "read go; tail /dev/zero").start();
        for (Path procs : pod.procsFiles()) {
            Files.writeString(procs, Long.toString(process.pid()));
        }
        process.outputWriter().append("go\n").flush();
        assertThat(process.waitFor()).isNotZero();
        assertThat(cgroups
                .oomKills(limit.resolveSibling("").endsWith(sandbox) ? parent + "/" + sandbox : parent))
                .isPositive();
    }

    @Test
    void takesItsOwnParentAwayWithTheLastPod() throws IOException {
        NodeCgroups cgroups = NodeCgroups.detect("cgroupfs");
        var pod = cgroups.createPod("", sandbox);
        cgroups.createPod("", sandbox);
        assertThat(pod.path()).isEqualTo("/berth/" + sandbox);
        assertThat(pod.procsFiles()).allSatisfy(procs -> assertThat(procs).exists());
        cgroups.removePod("", sandbox);
        cgroups.removePod("", sandbox);
        assertThat(pod.procsFiles()).allSatisfy(procs -> assertThat(procs).doesNotExist());
        assertThat(cgroups.usage("/berth/" + sandbox)).isEmpty();
    }

    @Test
    void leavesANamedParentAlone() throws IOException {
        NodeCgroups cgroups = NodeCgroups.detect("cgroupfs");
        cgroups.createPod(parent, sandbox);
        cgroups.removePod(parent, sandbox);
        assertThat(cgroups.usage(parent)).isPresent();
    }

    @Test
    void findsTheDriverOfTheNode() throws IOException {
        systemdNode();
        assertThat(NodeCgroups.detect("auto", root).driver()).isEqualTo(Driver.SYSTEMD);
        assertThat(NodeCgroups.detect("auto", root).mode()).isEqualTo(Mode.V2);
        assertThat(NodeCgroups.detect("cgroupfs", root).driver()).isEqualTo(Driver.CGROUPFS);
        write("proc/1/comm", "init\n");
        assertThat(NodeCgroups.detect("auto", root).driver()).isEqualTo(Driver.CGROUPFS);
        assertThatThrownBy(() -> NodeCgroups.detect("systemd", root))
                .hasMessageContaining("cgroup_driver is systemd, but systemd does not run as PID 1");
        assertThatThrownBy(() -> NodeCgroups.detect("upstart", root))
                .hasMessageContaining("cgroup_driver is \"upstart\"; it takes auto, cgroupfs or systemd");
        write("proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda rw\n");
        assertThatThrownBy(() -> NodeCgroups.detect("cgroupfs", root))
                .hasMessageContaining("no cgroup hierarchy is mounted");
    }

    @Test
    void readsVersionTwo() throws IOException {
        systemdNode();
        String scope = "sys/fs/cgroup/kubepods.slice/kubepods-pod1.slice/berth-c1.scope/";
        write(scope + "cpu.stat", "usage_usec 1500\nuser_usec 1000\n");
        write(scope + "memory.current", "1000\n");
        write(scope + "memory.max", "3000\n");
        write(scope + "memory.stat", "anon 600\nfile 400\ninactive_file 300\npgfault 12\npgmajfault 2\n");
        write(scope + "memory.swap.current", "5\n");
        write(scope + "memory.swap.max", "max\n");
        write(scope + "memory.events", "low 0\noom 3\noom_kill 2\n");
        write(scope + "pids.current", "4\n");
        write(scope + "cpu.pressure", """
            some avg10=1.50 avg60=0.75 avg300=0.10 total=42
            full avg10=0.00 avg60=0.00 avg300=0.00 total=7
            """);
        NodeCgroups cgroups = NodeCgroups.detect("auto", root);
        String path = cgroups.pod("kubepods-pod1.slice", "s1").containerPath("c1");
        CgroupUsage usage = cgroups.usage(path).orElseThrow();
        assertThat(usage.cpuNanos()).hasValue(1_500_000);
        assertThat(usage.memoryUsageBytes()).hasValue(1000);
        assertThat(usage.memoryWorkingSetBytes()).hasValue(700);
        assertThat(usage.memoryAvailableBytes()).hasValue(2300);
        assertThat(usage.memoryRssBytes()).hasValue(600);
        assertThat(usage.pageFaults()).hasValue(12);
        assertThat(usage.majorPageFaults()).hasValue(2);
        assertThat(usage.swapUsageBytes()).hasValue(5);
        assertThat(usage.swapAvailableBytes()).isEmpty();
        assertThat(usage.processes()).hasValue(4);
        assertThat(usage.cpuPsi()).hasValueSatisfying(psi -> {
            assertThat(psi.some()).isEqualTo(new CgroupUsage.Line(42, 1.5, 0.75, 0.1));
            assertThat(psi.full().totalMicros()).isEqualTo(7);
        });
        assertThat(usage.memoryPsi()).isEmpty();
        assertThat(cgroups.oomKills(path)).isEqualTo(2);
    }

    @Test
    void readsTheCgroupThatCrunMakesInAScope() throws IOException {
        systemdNode();
        String scope = "sys/fs/cgroup/kubepods.slice/kubepods-pod1.slice/berth-c1.scope/";
        write(scope + "memory.max", "max\n");
        write(scope + "container/memory.current", "1000\n");
        write(scope + "container/memory.max", "3000\n");
        write(scope + "container/memory.stat", "inactive_file 300\n");
        NodeCgroups cgroups = NodeCgroups.detect("auto", root);
        String path = cgroups.pod("kubepods-pod1.slice", "s1").containerPath("c1");

        assertThat(cgroups.usage(path).orElseThrow().memoryAvailableBytes()).hasValue(2300);
        assertThat(cgroups.detail(path).orElseThrow().path())
                .isEqualTo("/kubepods.slice/kubepods-pod1.slice/berth-c1.scope");
    }

    @Test
    void givesVersionTwoPodsALeafAndTheirChildrenControllers() throws IOException {
        systemdNode();
        NodeCgroups cgroups = NodeCgroups.detect("cgroupfs", root);
        var pod = cgroups.createPod("/pods/p1", "s1");
        assertThat(pod.procsFiles()).containsExactly(root.resolve("sys/fs/cgroup/pods/p1/s1/cgroup.procs"));
        assertThat(root.resolve("sys/fs/cgroup/pods/p1/s1")).isDirectory();
        assertThat(root.resolve("sys/fs/cgroup/cgroup.subtree_control")).hasContent("+memory");
        cgroups.removePod("/pods/p1", "s1");
        assertThat(root.resolve("sys/fs/cgroup/pods/p1/s1")).doesNotExist();
        assertThat(root.resolve("sys/fs/cgroup/pods/p1")).isDirectory();
    }

    private void systemdNode() throws IOException {
        write("proc/self/mountinfo", "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        write("proc/1/comm", "systemd\n");
        write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
        write("sys/fs/cgroup/cgroup.subtree_control", "cpu\n");
        Files.createDirectories(root.resolve("run/systemd/system"));
    }

    private void write(String file, String text) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.resolveSibling(""));
        Files.writeString(path, text);
    }
}
