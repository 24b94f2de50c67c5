package io.berth.runtime.sandbox;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.DNSConfig;
import io.berth.cri.v1.IDMapping;
import io.berth.cri.v1.LinuxPodSandboxConfig;
import io.berth.cri.v1.LinuxSandboxSecurityContext;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.UserNamespace;
import io.berth.linux.MountInfo;
import io.berth.linux.Mounts;
import io.berth.linux.NamespaceType;
import io.berth.linux.Namespaces;
import io.berth.runtime.lifecycle.LifecycleException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PinnedSandboxEnvironmentTest {
    @TempDir
    private Path temporary;
    private Path directory;
    private Path etc;
    private PinnedSandboxEnvironment environment;

    @BeforeEach
    void prepare() throws IOException {
        directory = temporary.resolve("sandboxes/s1");
        etc = Files.createDirectory(temporary.resolve("etc"));
        Files.writeString(etc.resolve("hosts"), "10.9.8.7 node\n");
        Files.writeString(etc.resolve("resolv.conf"), "nameserver 10.9.8.53\n");
        environment = new PinnedSandboxEnvironment(etc, UserNamespaces.ofPath(System.getenv("PATH")));
    }

    @AfterEach
    void takeDown() throws IOException {
        environment.destroy(directory);
    }

    @Test
    void aPodHasItsOwnNetworkIpcNameAndSharedMemory() throws Exception {
        SandboxEnvironment.Made made = environment.create("s1", directory, pod("web-0").build(),
                Optional.empty());

        assertThat(made.namespaces()).containsOnlyKeys("network", "ipc", "uts");
        made.namespaces().values().forEach(pin -> assertThat(mounts(pin)).isOne());
        assertThat(in(made, "uts", "/proc/sys/kernel/hostname")).isEqualTo("web-0\n");
        assertThat(in(made, "network", "/proc/thread-self/net/if_inet6")).contains(" lo");
        assertThat(environment.interfaces(directory.resolve("ns/net")))
                .anySatisfy(counters -> assertThat(counters.name()).isEqualTo("lo"));
        assertThat(made.files().get("hostname")).hasContent("web-0\n");
        assertThat(Files.readString(made.files().get("hosts"))).contains("127.0.0.1\tlocalhost")
                .doesNotContain("10.9.8.7");
        assertThat(made.files().get("resolv.conf")).hasContent("nameserver 10.9.8.53\n");
        assertThat(
                PosixFilePermissions.toString(Files.getPosixFilePermissions(made.files().get("resolv.conf"))))
                .isEqualTo("rw-r--r--");
        assertThat(Mounts.list()).filteredOn(m -> m.mountPoint().equals(made.files().get("shm")))
                .singleElement()
                .satisfies(shm -> {
                    assertThat(shm.type()).isEqualTo("tmpfs");
                    assertThat(shm.superOptions()).contains("size=65536k");
                    assertThat(shm.options()).contains("nosuid", "nodev", "noexec");
                });
        assertThat((int) Files.getAttribute(made.files().get("shm"), "unix:mode") & 07777).isEqualTo(01777);
        assertThat(environment.intact(directory, pod("web-0").build())).isTrue();
    }

    @Test
    void aPodOnTheNodesNetworkHasItsNameAndHosts() throws Exception {
        PodSandboxConfig config = pod("web-0", NamespaceOption.newBuilder().setNetwork(NamespaceMode.NODE)
                .setIpc(NamespaceMode.NODE)).build();

        SandboxEnvironment.Made made = environment.create("s1", directory, config, Optional.empty());

        assertThat(made.namespaces()).isEmpty();
        assertThat(made.files().get("hosts")).hasContent("10.9.8.7 node\n");
        assertThat(made.files().get("hostname"))
                .hasContent(Files.readString(Path.of("/proc/sys/kernel/hostname")));
        assertThat(made.files().get("shm")).isEqualTo(Path.of("/dev/shm"));
        assertThat(environment.intact(directory, config)).isTrue();
    }

    @Test
    void dnsSettingsMakeResolvConf() throws Exception {
        PodSandboxConfig config = pod("web-0").setDnsConfig(DNSConfig.newBuilder().addServers("10.0.0.10")
                .addServers("fd00::a").addSearches("a.svc").addSearches("svc").addOptions("ndots:5")).build();

        SandboxEnvironment.Made made = environment.create("s1", directory, config, Optional.empty());

        assertThat(made.files().get("resolv.conf"))
                .hasContent("search a.svc svc\nnameserver 10.0.0.10\nnameserver fd00::a\noptions ndots:5\n");
    }

    @Test
    void sysctlsAreSetInsideThePodOnly() throws Exception {
        String before = Files.readString(Path.of("/proc/sys/kernel/shmmni"));

        SandboxEnvironment.Made made = environment.create("s1", directory,
                withSysctls(Map.of("kernel.shmmni", "77", "net.ipv4.ip_unprivileged_port_start", "80",
                        "net/ipv4/conf/all/arp_ignore", "1", "fs.mqueue.msg_max", "9")).build(),
                Optional.empty());

        assertThat(in(made, "ipc", "/proc/sys/kernel/shmmni")).isEqualTo("77\n");
        assertThat(in(made, "ipc", "/proc/sys/fs/mqueue/msg_max")).isEqualTo("9\n");
        assertThat(in(made, "network", "/proc/sys/net/ipv4/ip_unprivileged_port_start")).isEqualTo("80\n");
        assertThat(in(made, "network", "/proc/sys/net/ipv4/conf/all/arp_ignore")).isEqualTo("1\n");
        assertThat(Files.readString(Path.of("/proc/sys/kernel/shmmni"))).isEqualTo(before);
    }

    @Test
    void sysctlsOfInterfacesToComeAreSetOnceTheyAreThere() throws Exception {
        PodSandboxConfig config = withSysctls(Map.of("net.ipv4.conf.eth0.arp_ignore", "1")).build();
        environment.create("s1", directory, config, Optional.empty());

        assertThatThrownBy(() -> environment.networkAttached(directory, config))
                .isInstanceOf(LifecycleException.class).hasMessageContaining("net.ipv4.conf.eth0.arp_ignore")
                .hasMessageContaining("no such parameter");

        Process ip = new ProcessBuilder("nsenter", "--net=" + directory.resolve("ns/net"), "ip", "link",
                "add", "eth0",
                "type", "veth", "peer", "name", "peer0").inheritIO().start();
        assertThat(ip.waitFor()).isZero();
        environment.networkAttached(directory, config);
        assertThat(Namespaces.callIn(Map.of(NamespaceType.NETWORK, directory.resolve("ns/net")),
                () -> read(Path.of("/proc/sys/net/ipv4/conf/eth0/arp_ignore")))).isEqualTo("1\n");
    }

    @Test
    void refusesWhatIsNotThePodsToSetAndLeavesNothing() {
        refused("vm.swappiness", "1", "it is the whole node's");
        refused("kernel.hostname", "x", "it is the whole node's");
        refused("kernel/shm_rmid_forced/../../vm/swappiness", "1", "not the name of a kernel parameter");
        refused("net/../vm/swappiness", "1", "not the name of a kernel parameter");
        refused("net..x", "1", "not the name of a kernel parameter");
        refused("net.ipv4.nosuch", "1", "no such parameter");
        refused("net.ipv4.ip_forward", "many", "refuses the value \"many\"");
        refused("net.ipv4.ip_forward", "1\n2", "line break");
    }

    @Test
    void refusesSysctlsOfNamespacesThatAreTheNodes() {
        PodSandboxConfig config = pod("p", NamespaceOption.newBuilder().setNetwork(NamespaceMode.NODE))
                .mergeLinux(LinuxPodSandboxConfig.newBuilder().putSysctls("net.ipv4.ip_forward", "1").build())
                .build();

        assertThatThrownBy(() -> environment.create("s1", directory, config, Optional.empty()))
                .hasMessageContaining("net.ipv4.ip_forward").hasMessageContaining("this pod uses the node's");
        assertThat(directory).doesNotExist();
    }

    @Test
    void refusesNamesAndServersThatWouldBecomeOtherLines() {
        assertThatThrownBy(
                () -> environment.create("s1", directory, pod("a\n10.0.0.1 b").build(), Optional.empty()))
                .isInstanceOf(LifecycleException.class).hasMessageContaining("hostname");
        assertThatThrownBy(
                () -> environment.create("s1", directory,
                        pod("a").setDnsConfig(DNSConfig.newBuilder().addServers("10.0.0.1\noptions x"))
                                .build(),
                        Optional.empty()))
                .isInstanceOf(LifecycleException.class).hasMessageContaining("dns_config.servers");
        assertThat(directory).doesNotExist();
    }

    @Test
    void aUserNamespaceOwnsTheOthersAndHasTheMapsOfTheRequest() throws Exception {
        SandboxEnvironment.Made made = environment.create("s1", directory, withUsers(200_000, 65_536),
                Optional.empty());

        assertThat(made.namespaces()).containsOnlyKeys("network", "ipc", "uts", "user");
        Process map = new ProcessBuilder("nsenter", "--user=" + made.namespaces().get("user"),
                "--net=" + made.namespaces().get("network"), "sh", "-c",
                "cat /proc/self/uid_map && ip link set lo mtu 1400")
                .redirectErrorStream(true).start();
        assertThat(new String(map.getInputStream().readAllBytes(), UTF_8)
                .strip()
                .split("\\s+")).containsExactly("0", "200000", "65536");
        assertThat(map.waitFor()).isZero();
        assertThat(in(made, "uts", "/proc/sys/kernel/hostname")).isEqualTo("p\n");
        assertThat(in(made, "network", "/proc/thread-self/net/if_inet6")).contains(" lo");
    }

    @Test
    void saysWhatAUserNamespaceLacks() {
        assertThatThrownBy(() -> environment.create("s1", directory, withUsers(0, 0), Optional.empty()))
                .hasMessageContaining("userns_options.uids has a range of length 0");
        assertThatThrownBy(() -> environment.create("s1", directory, withUsers(-1, 10), Optional.empty()))
                .hasMessageContaining(
                        "userns_options.uids: the kernel refuses the ranges \"0 4294967295 10\"");
        assertThatThrownBy(() -> new PinnedSandboxEnvironment(etc, new UserNamespaces(Optional.empty()))
                .create("s1", directory, withUsers(200_000, 1), Optional.empty()))
                .hasMessageContaining("install the package util-linux");
        assertThat(directory).doesNotExist();
    }

    @Test
    void aSecondCreateFailsAndLeavesTheFirstAsItIs() throws Exception {
        environment.create("s1", directory, pod("p").build(), Optional.empty());

        assertThatThrownBy(() -> environment.create("s1", directory, pod("p").build(), Optional.empty()))
                .isInstanceOf(FileAlreadyExistsException.class);

        assertThat(environment.intact(directory, pod("p").build())).isTrue();
    }

    @Test
    void destroyTakesApartWhatIsHalfMadeAndFollowsNoSymlink() throws Exception {
        environment.create("s1", directory, pod("p").build(), Optional.empty());
        Path outside = Files.createDirectory(temporary.resolve("outside"));
        Path kept = Files.writeString(outside.resolve("kept"), "");
        Files.createSymbolicLink(directory.resolve("link"), outside);
        Path bound = Files.createDirectory(directory.resolve("bound"));
        Mounts.bind(outside, bound, false);
        Mounts.unmountAll(directory.resolve("ns/ipc"));
        Files.delete(directory.resolve("hosts"));

        assertThat(environment.intact(directory, pod("p").build())).isFalse();
        environment.destroy(directory);
        environment.destroy(directory);

        assertThat(directory).doesNotExist();
        assertThat(kept).exists();
        assertThat(Mounts.list()).noneMatch(mount -> mount.mountPoint().startsWith(temporary));
    }

    private void refused(String name, String value, String reason) {
        assertThatThrownBy(
                () -> environment.create("s1", directory, withSysctls(Map.of(name, value)).build(),
                        Optional.empty()))
                .isInstanceOfSatisfying(LifecycleException.class,
                        e -> assertThat(e.kind()).isEqualTo(LifecycleException.Kind.INVALID))
                .hasMessageContaining("linux.sysctls: " + name).hasMessageContaining(reason);
        assertThat(directory).doesNotExist();
    }

    private static PodSandboxConfig.Builder pod(String hostname) {
        return PodSandboxConfig.newBuilder().setHostname(hostname);
    }

    private static PodSandboxConfig.Builder pod(String hostname, NamespaceOption.Builder options) {
        return pod(hostname).setLinux(LinuxPodSandboxConfig.newBuilder()
                .setSecurityContext(LinuxSandboxSecurityContext.newBuilder().setNamespaceOptions(options)));
    }

    private static PodSandboxConfig.Builder withSysctls(Map<String, String> sysctls) {
        return pod("p").setLinux(LinuxPodSandboxConfig.newBuilder().putAllSysctls(sysctls));
    }

    private static PodSandboxConfig withUsers(int hostId, int length) {
        IDMapping mapping = IDMapping.newBuilder().setHostId(hostId).setLength(length).build();
        return pod("p", NamespaceOption.newBuilder().setUsernsOptions(
                UserNamespace.newBuilder().setMode(NamespaceMode.POD).addUids(mapping).addGids(mapping)))
                .build();
    }

    private static long mounts(Path at) {
        try {
            return Mounts.list().stream().map(MountInfo::mountPoint).filter(at::equals).count();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static String in(SandboxEnvironment.Made made, String namespace, String file) throws Exception {
        NamespaceType type = switch (namespace) {
            case "network" -> NamespaceType.NETWORK;
            case "ipc" -> NamespaceType.IPC;
            default -> NamespaceType.UTS;
        };
        Path pin = made.namespaces().get(namespace);
        assertThat(pin).isNotNull();
        return Namespaces.callIn(Map.of(type, pin), () -> read(Path.of(file)));
    }

    /** Not {@link Files#readString}, which reads one byte first: the kernel takes the next read of a number for the end. */
    private static String read(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return new String(in.readAllBytes(), UTF_8);
        }
    }
}
