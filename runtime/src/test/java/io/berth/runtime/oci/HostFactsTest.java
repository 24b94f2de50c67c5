package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostFactsTest {
    @TempDir
    private Path root;

    @Test
    void readsANodeWithAppArmorAndVersionTwo() throws IOException {
        process("000001ffffffffff", "0");
        write("proc/self/mountinfo", "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
        write("sys/fs/cgroup/system.slice/memory.swap.max", "max\n");
        write("sys/module/apparmor/parameters/enabled", "Y\n");
        assertThat(HostFacts.detect(root).appArmor()).isFalse();
        write("usr/sbin/apparmor_parser", "");
        Files.setPosixFilePermissions(root.resolve("usr/sbin/apparmor_parser"),
                PosixFilePermissions.fromString("rwxr-xr-x"));
        HostFacts facts = HostFacts.detect(root);
        assertThat(facts.capabilities()).hasSize(41);
        assertThat(facts.sysResource()).isTrue();
        assertThat(facts.appArmor()).isTrue();
        assertThat(facts.selinux()).isEmpty();
        assertThat(facts.seccomp()).isTrue();
        assertThat(facts.cgroupV2()).isTrue();
        assertThat(facts.swapAccounting()).isTrue();
        assertThat(facts.cgroupControllers()).contains("memory", "hugetlb");
        assertThat(facts.kernel()).isEqualTo(new KernelVersion(6, 1));
    }

    @Test
    void readsAHybridNodeWithFewRights() throws IOException {
        process("0000000000000001", "250");
        write("proc/self/mountinfo", """
            30 1 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
            31 1 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
            32 1 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
            33 1 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
            """);
        write("sys/fs/selinux/enforce", "0");
        HostFacts facts = HostFacts.detect(root);
        assertThat(facts.capabilities()).containsExactly("CAP_CHOWN");
        assertThat(facts.sysResource()).isFalse();
        assertThat(facts.oomScoreAdj()).isEqualTo(250);
        assertThat(facts.cgroupV2()).isFalse();
        assertThat(facts.swapAccounting()).isFalse();
        assertThat(facts.selinux()).isPresent();
        assertThat(facts.cgroupControllers()).containsExactlyInAnyOrder("memory", "cpu", "cpuacct");
    }

    @Test
    void supposesX32UntilTheKernelsConfigurationDeniesIt() throws IOException {
        process("000001ffffffffff", "0");
        write("proc/self/mountinfo", "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        write("sys/fs/cgroup/cgroup.controllers", "cpu\n");
        assertThat(HostFacts.detect(root).x32()).isTrue();
        write("boot/config-6.1.0-18-amd64", "CONFIG_X86=y\n# CONFIG_X86_X32_ABI is not set\n");
        assertThat(HostFacts.detect(root).x32()).isFalse();
        write("boot/config-6.1.0-18-amd64", "CONFIG_X86=y\nCONFIG_X86_X32_ABI=y\n");
        assertThat(HostFacts.detect(root).x32()).isTrue();
    }

    @Test
    void readsThisMachine() throws IOException {
        HostFacts facts = HostFacts.detect();
        assertThat(facts.capabilities()).contains("CAP_SYS_ADMIN");
        assertThat(facts.seccomp()).isTrue();
    }

    private void process(String bounding, String oomScoreAdj) throws IOException {
        write("proc/self/status", "Name:\tberth\nCapBnd:\t" + bounding + "\nSeccomp:\t0\n");
        write("proc/self/oom_score_adj", oomScoreAdj + "\n");
        write("proc/self/ns/user", "");
        write("proc/sys/user/max_user_namespaces", "100\n");
        write("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
    }

    private void write(String file, String text) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.resolveSibling(""));
        Files.writeString(path, text);
    }
}
