package io.berth.runtime.check;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.linux.Capability;
import io.berth.runtime.check.Finding.Verdict;
import io.berth.runtime.check.KernelProbes.Answer;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.config.ConfigLoader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each thing that a node can lack, on trees that stand for a node. */
class NodeCheckTest {
    @TempDir
    Path root;
    private Node node = Node.thisOne(null);

    @BeforeEach
    void lookAtTheTree() {
        node = new Node(root, List.of(root.resolve("bin")));
    }

    @Test
    void aKernelThatHasAllIsFine() throws Exception {
        file("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
        file("proc/sys/kernel/seccomp/actions_avail", "kill_process");
        file("proc/sys/user/max_user_namespaces", "15000");
        file("sys/module/apparmor/parameters/enabled", "Y");
        List<Finding> findings = new KernelChecks(node, probes(Answer.YES)).run();
        assertThat(findings).allMatch(finding -> finding.verdict() == Verdict.OK);
        assertThat(named(findings, "AppArmor, SELinux").found()).isEqualTo("AppArmor");
        assertThat(named(findings, "version").found()).isEqualTo("6.1.0-18-amd64");
    }

    @Test
    void anOldKernelIsToldByWhatItCannot() throws Exception {
        file("proc/sys/kernel/osrelease", "4.19.0");
        file("proc/sys/user/max_user_namespaces", "0");
        List<Finding> findings = new KernelChecks(node, probes(Answer.NO)).run();
        assertThat(named(findings, "version").verdict()).isEqualTo(Verdict.WARNING);
        assertThat(named(findings, "overlayfs").verdict()).isEqualTo(Verdict.MISSING);
        assertThat(named(findings, "overlayfs").remedy()).startsWith("modprobe overlay");
        assertThat(named(findings, "openat2").verdict()).isEqualTo(Verdict.MISSING);
        assertThat(named(findings, "pidfd").verdict()).isEqualTo(Verdict.MISSING);
        assertThat(named(findings, "mount API").verdict()).isEqualTo(Verdict.WARNING);
        assertThat(named(findings, "seccomp").verdict()).isEqualTo(Verdict.WARNING);
        assertThat(named(findings, "user namespaces").found()).isEqualTo("switched off");
    }

    @Test
    void whatMayNotBeAskedIsNotCalledMissing() throws Exception {
        file("proc/sys/kernel/osrelease", "6.1.0");
        assertThat(named(new KernelChecks(node, probes(Answer.FORBIDDEN)).run(), "overlayfs"))
                .isEqualTo(Finding.warning("kernel", "overlayfs", "not permitted to this process",
                        "run berth check as root, outside a container"));
    }

    @Test
    void theKernelThatRunsTheTestsAnswers() {
        KernelProbes real = KernelProbes.real();
        assertThat(List.of(real.openat2(), real.pidfd(), real.overlayfs(), real.mountAttributes()))
                .containsOnly(Answer.YES);
    }

    @Test
    void noCgroupHierarchyIsMissing() throws Exception {
        file("proc/self/mountinfo", "22 1 0:20 / /proc rw - proc proc rw\n");
        assertThat(new CgroupChecks(node).run()).singleElement()
                .satisfies(finding -> assertThat(finding.verdict()).isEqualTo(Verdict.MISSING));
    }

    @Test
    void aControllerThatLimitsNeedIsMissing() throws Exception {
        file("proc/self/mountinfo", "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        file("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io hugetlb pids");
        Finding controllers = named(new CgroupChecks(node).run(), "controllers");
        assertThat(controllers.verdict()).isEqualTo(Verdict.MISSING);
        assertThat(controllers.found()).endsWith("; not memory");
    }

    @Test
    void aUnifiedHierarchyWithAllControllersIsFine() throws Exception {
        file("proc/self/mountinfo", "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        file("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc");
        assertThat(new CgroupChecks(node).run()).allMatch(finding -> finding.verdict() == Verdict.OK);
    }

    @Test
    void theDefaultRuntimeIsNeededAndOthersAreNot() throws Exception {
        program("bin/crun", "echo crun version 1.14");
        List<Finding> findings = new RuntimeChecks(node, config(Map.of()), Optional.empty()).run();
        assertThat(named(findings, "runc (default)")).isEqualTo(Finding.missing("runtime", "runc (default)",
                "runc is not on PATH",
                "apt-get install runc, or set [runtimes.runc] path, or choose another default_runtime"));
        assertThat(named(findings, "crun").found())
                .isEqualTo(root.resolve("bin/crun") + ", crun version 1.14");
        assertThat(named(findings, "berth-shim").verdict()).isEqualTo(Verdict.MISSING);

        findings = new RuntimeChecks(node, config(Map.of("default_runtime", "crun")), Optional.empty()).run();
        assertThat(named(findings, "runc").verdict()).isEqualTo(Verdict.WARNING);
        assertThat(named(findings, "crun (default)").verdict()).isEqualTo(Verdict.OK);
    }

    @Test
    void aRuntimeThatCannotSayItsVersionIsBroken() throws Exception {
        program("bin/runc", "exit 3");
        Finding runc = named(new RuntimeChecks(node, config(Map.of()), Optional.empty()).run(),
                "runc (default)");
        assertThat(runc.verdict()).isEqualTo(Verdict.MISSING);
        assertThat(runc.found()).isEqualTo(root.resolve("bin/runc") + " --version fails");
    }

    @Test
    void theShimMustRun() throws Exception {
        program("opt/berth-shim", "echo berth-shim 1");
        var shim = Optional.of(Path.of("/opt/berth-shim"));
        assertThat(named(new RuntimeChecks(node, config(Map.of()), shim).run(), "berth-shim").found())
                .isEqualTo("/opt/berth-shim, berth-shim 1");
    }

    @Test
    void aNodeWithoutANetworkIsToldWhereToGetOne() throws Exception {
        List<Finding> findings = new NetworkChecks(node, config(Map.of()).cni()).run();
        assertThat(named(findings, "CNI plugins")).isEqualTo(Finding.missing("network", "CNI plugins",
                "none in /opt/cni/bin, /usr/lib/cni",
                "apt-get install containernetworking-plugins, or set [cni] bin_dirs"));
        assertThat(named(findings, "CNI configuration").verdict()).isEqualTo(Verdict.MISSING);
        assertThat(named(findings, "iptables").verdict()).isEqualTo(Verdict.WARNING);
        assertThat(named(findings, "IP forwarding").remedy()).startsWith("sysctl -w net.ipv4.ip_forward=1");
    }

    @Test
    void aNodeWithANetworkIsFine() throws Exception {
        for (String plugin : List.of("bridge", "host-local", "loopback", "portmap")) {
            program("usr/lib/cni/" + plugin, "exit 0");
        }
        program("bin/iptables", "echo iptables v1.8.9");
        file("etc/cni/net.d/README", "");
        file("etc/cni/net.d/20-b.conf", "{}");
        file("etc/cni/net.d/10-a.conflist", "{}");
        file("proc/sys/net/ipv4/ip_forward", "1");
        List<Finding> findings = new NetworkChecks(node, config(Map.of()).cni()).run();
        assertThat(findings).allMatch(finding -> finding.verdict() == Verdict.OK);
        assertThat(named(findings, "CNI configuration").found())
                .isEqualTo(root.resolve("etc/cni/net.d/10-a.conflist").toString());
    }

    @Test
    void swapIsReported() throws Exception {
        file("proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n");
        assertThat(named(new StorageChecks(node, config(Map.of())).run(), "swap").found())
                .isEqualTo("1 area in use");
    }

    @Test
    void freeSpaceIsMeasuredWhereRootWillBe() throws Exception {
        Finding space = named(new StorageChecks(node, config(Map.of())).run(), "root");
        assertThat(space.found()).matches("/var/lib/berth: \\d+ MiB and (\\d+|any number of) inodes free.*");
    }

    @Test
    void capabilitiesThatAreLackingAreNamed() {
        Set<Capability> most = EnumSet.complementOf(
                EnumSet.of(Capability.CAP_SYS_ADMIN, Capability.CAP_MKNOD, Capability.CAP_SYS_RESOURCE));
        List<Finding> findings = new ProcessChecks(true, most).run();
        assertThat(named(findings, "capabilities").found()).isEqualTo("not CAP_SYS_ADMIN CAP_MKNOD");
        assertThat(named(findings, "CAP_SYS_RESOURCE").verdict()).isEqualTo(Verdict.WARNING);
        assertThat(new ProcessChecks(true, EnumSet.allOf(Capability.class)).run())
                .allMatch(finding -> finding.verdict() == Verdict.OK);
    }

    @Test
    void whoIsNotRootIsToldSoAlone() {
        List<Finding> findings = new ProcessChecks(false, Set.of()).run();
        assertThat(findings).singleElement()
                .satisfies(finding -> assertThat(finding.name()).isEqualTo("root"));
        assertThat(NodeCheck.ready(findings)).isFalse();
    }

    private static BerthConfig config(Map<String, String> overrides) throws Exception {
        return ConfigLoader.defaults(overrides);
    }

    private static Finding named(List<Finding> findings, String name) {
        return findings.stream().filter(finding -> finding.name().equals(name)).findFirst().orElseThrow();
    }

    private void file(String path, String text) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void program(String path, String script) throws IOException {
        file(path, "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(root.resolve(path), PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static KernelProbes probes(Answer answer) {
        return new KernelProbes() {
            @Override
            public Answer openat2() {
                return answer;
            }

            @Override
            public Answer overlayfs() {
                return answer;
            }

            @Override
            public Answer mountAttributes() {
                return answer;
            }

            @Override
            public Answer pidfd() {
                return answer;
            }
        };
    }
}
