package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.SecurityProfile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a container sees when a real OCI runtime has run a built spec. Needs root, runc, crun and busybox-static. */
class RunSpecTest {
    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"runc", "crun"})
    void isTheUserThatWasAskedFor(String runtime) throws IOException {
        var containers = new TestContainers(directory, runtime);
        var request = containers.request("id -u; id -g; id -G; grep CapEff /proc/self/status");
        request.security().setRunAsUsername("app").addSupplementalGroups(77);
        assertThat(containers.run(request).lines().toList()).containsExactly("1000", "1001", "1001 77 2000",
                "CapEff:\t0000000000000000");
    }

    @ParameterizedTest
    @ValueSource(strings = {"runc", "crun"})
    void hasTheCapabilitiesAndConfinementThatWereAskedFor(String runtime) throws IOException {
        var containers = new TestContainers(directory, runtime);
        var request = containers.request(
                "grep -E '^(CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status; unshare -U true 2>&1");
        request.container.setArgs(0, request.container.getArgs(0) + "; exit 0");
        request.security().setNoNewPrivs(true)
                .setSeccomp(SecurityProfile.newBuilder()
                        .setProfileType(SecurityProfile.ProfileType.RuntimeDefault));
        request.security().getCapabilitiesBuilder().addDropCapabilities("ALL").addAddCapabilities("CHOWN")
                .addAddAmbientCapabilities("NET_BIND_SERVICE");
        assertThat(containers.run(request).lines().toList()).containsExactly("CapBnd:\t0000000000000401",
                "CapAmb:\t0000000000000400", "NoNewPrivs:\t1", "Seccomp:\t2",
                "unshare: unshare(0x10000000): Operation not permitted");
    }

    @ParameterizedTest
    @ValueSource(strings = {"runc", "crun"})
    void worksInItsDirectoryWithItsEnvironment(String runtime) throws IOException {
        var containers = new TestContainers(directory, runtime);
        var request = containers.request("pwd; echo \"$GREETING $HOSTNAME\"");
        request.container.setWorkingDir("/made/for/it").addEnvsBuilder().setKey("GREETING")
                .setValue(ByteString.copyFromUtf8("hei på deg"));
        assertThat(containers.run(request)).isEqualTo("/made/for/it\nhei på deg pod-1\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"runc", "crun"})
    void seesItsMountsAndNotWhatIsMasked(String runtime) throws IOException {
        var containers = new TestContainers(directory, runtime);
        Path volume = Files.createDirectories(directory.resolve("volume"));
        Files.writeString(volume.resolve("file"), "content\n");
        var request = containers.request("""
            cat /data/sub/file; touch /data/sub/x 2>&1; touch /rw/file && echo writable
            touch /x 2>&1; grep -c . /proc/timer_list; touch /proc/sys/kernel/domainname 2>&1
            grep -c ' /sys sysfs ro' /proc/mounts; stat -c %a /dev/shm""");
        request.container.addMountsBuilder().setContainerPath("/data/sub").setHostPath(volume.toString())
                .setReadonly(true);
        request.container.addMountsBuilder().setContainerPath("/rw").setHostPath(volume.toString());
        request.security().setReadonlyRootfs(true).addMaskedPaths("/proc/timer_list")
                .addReadonlyPaths("/proc/sys");
        assertThat(containers.run(request).lines().toList()).containsExactly("content",
                "touch: /data/sub/x: Read-only file system", "writable", "touch: /x: Read-only file system",
                "0",
                "touch: /proc/sys/kernel/domainname: Read-only file system", "1", "1777");
    }

    @ParameterizedTest
    @ValueSource(strings = {"runc", "crun"})
    void aRecursivelyReadOnlyMountHasNoWritableMountInIt(String runtime) throws IOException {
        var containers = new TestContainers(directory, runtime);
        var request = containers.request("touch /host/shm/berth-rro 2>&1; exit 0");
        request.container.addMountsBuilder().setContainerPath("/host").setHostPath("/dev").setReadonly(true)
                .setRecursiveReadOnly(true);
        assertThat(containers.runtime().features().recursiveReadOnlyMounts()).isTrue();
        assertThat(containers.run(request)).contains("touch: /host/shm/berth-rro: Read-only file system");
    }

    @ParameterizedTest
    @ValueSource(strings = {"runc", "crun"})
    void isLimitedByItsCgroup(String runtime) throws IOException {
        var containers = new TestContainers(directory, runtime);
        var request = containers.request("""
            cd /sys/fs/cgroup
            cat memory.max memory/memory.limit_in_bytes 2>/dev/null
            cat pids.max pids/pids.max 2>/dev/null
            cat cpu.max 2>/dev/null || cat cpu/cpu.cfs_quota_us cpu/cpu.shares
            cat /proc/self/oom_score_adj""");
        request.resources().setMemoryLimitInBytes(64 << 20).setCpuQuota(50_000).setCpuPeriod(100_000)
                .setCpuShares(512).setOomScoreAdj(321);
        request.pidsLimit = 33;
        List<String> cpu = request.host.cgroupV2() ? List.of("50000 100000") : List.of("50000", "512");
        assertThat(containers.run(request).lines().toList()).startsWith("67108864", "33").containsAll(cpu)
                .endsWith("321");
    }

    @ParameterizedTest
    @ValueSource(strings = {"runc", "crun"})
    void hasTheDevicesThatWereAskedForAndNoOther(String runtime) throws IOException {
        var containers = new TestContainers(directory, runtime);
        var request = containers.request("""
            stat -c '%F %t:%T' /dev/mine; ls /dev/kmsg 2>&1; touch /tmp-x; ls /dev/full""");
        request.container.addDevicesBuilder().setContainerPath("/dev/mine").setHostPath("/dev/zero")
                .setPermissions("r");
        request.container.setArgs(0,
                request.container.getArgs(0) + "; head -c 3 /dev/mine | busybox od -An -tx1");
        Files.createSymbolicLink(containers.rootfs().resolve("bin/head"), Path.of("busybox"));
        assertThat(containers.run(request).lines().map(String::strip).toList()).containsExactly(
                "character special file 1:5", "ls: /dev/kmsg: No such file or directory", "/dev/full",
                "00 00 00");
    }

    @ParameterizedTest
    @ValueSource(strings = {"runc", "crun"})
    void privilegedHasWhatTheDaemonHas(String runtime) throws IOException {
        var containers = new TestContainers(directory, runtime);
        var request = containers.request("""
            grep -E '^(CapEff|Seccomp):' /proc/self/status; ls /dev/kmsg
            grep -c ' /sys sysfs rw' /proc/mounts; mount -t tmpfs t /etc && echo mounted""");
        request.privileged();
        String own = Files.readString(Path.of("/proc/self/status")).lines()
                .filter(line -> line.startsWith("CapBnd:")).findFirst().orElseThrow()
                .replace("CapBnd", "CapEff");
        assertThat(containers.run(request).lines().toList()).containsExactly(own, "Seccomp:\t0", "/dev/kmsg",
                "1",
                "mounted");
    }

    @ParameterizedTest
    @ValueSource(strings = {"runc", "crun"})
    void joinsThePodsNamespaces(String runtime) throws Exception {
        var containers = new TestContainers(directory, runtime);
        Process pod = new ProcessBuilder("unshare", "-n", "-i", "-u", "sh", "-c",
                "hostname pod-x; echo; exec cat")
                .start();
        try {
            assertThat(pod.inputReader().readLine()).isEmpty();
            Path namespaces = Path.of("/proc", Long.toString(pod.pid()), "ns");
            var request = containers.request("""
                for n in net ipc uts; do readlink /proc/self/ns/$n; done; hostname; ls /proc/1/ns/pid""");
            request.namespaces(NamespaceOption.newBuilder().setPid(NamespaceMode.CONTAINER));
            request.namespaces.put("network", namespaces.resolve("net"));
            request.namespaces.put("ipc", namespaces.resolve("ipc"));
            request.namespaces.put("uts", namespaces.resolve("uts"));
            assertThat(containers.run(request).lines().toList()).containsExactly(
                    Files.readSymbolicLink(namespaces.resolve("net")).toString(),
                    Files.readSymbolicLink(namespaces.resolve("ipc")).toString(),
                    Files.readSymbolicLink(namespaces.resolve("uts")).toString(), "pod-x", "/proc/1/ns/pid");
        } finally {
            pod.destroyForcibly().waitFor();
        }
    }
}
