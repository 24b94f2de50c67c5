package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.IDMapping;
import io.berth.cri.v1.Int64Value;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.MountPropagation;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.StatusRequest;
import io.berth.cri.v1.UserNamespace;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Pods with a user namespace of their own (Kubernetes' {@code hostUsers: false}). */
@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
@EnabledIf(value = "canMapTmpfs", disabledReason = "Linux maps the IDs of a tmpfs since 6.3")
final class UserNamespacesIT {
    @Container
    static final Node NODE = new Node();

    private static final int FIRST_ID = 100_000;
    private static final int COUNT = 65_536;

    private final String handler;

    UserNamespacesIT(String handler) {
        this.handler = handler;
    }

    static boolean canMapTmpfs() {
        String[] release = System.getProperty("os.version").split("\\D+");
        int major = Integer.parseInt(release[0]);
        return major > 6 || (major == 6 && Integer.parseInt(release[1]) >= 3);
    }

    @Test
    void theHandlersSayThatTheyHaveThem() {
        var handlers = NODE.cri().runtime().status(StatusRequest.getDefaultInstance())
                .getRuntimeHandlersList();

        assertThat(handlers).filteredOn(found -> found.getName().equals(handler))
                .allSatisfy(found -> assertThat(found.getFeatures().getUserNamespaces()).isTrue()).hasSize(1);
    }

    @Test
    void rootOfTheContainerIsAnotherUserOfTheNode() throws IOException {
        try (PodHandle pod = pod("root")) {
            ContainerHandle container = pod.start(idle("main"));

            assertThat(container.sh("id -u; cat /proc/self/uid_map").split("\\s+"))
                    .containsExactly("0", "0", Integer.toString(FIRST_ID), Integer.toString(COUNT));
            assertThat(container.sh("cat /proc/self/gid_map").split("\\s+"))
                    .containsExactly("0", Integer.toString(FIRST_ID), Integer.toString(COUNT));
            assertThat(Files.getAttribute(Path.of("/proc", Long.toString(pidOnNode(container))), "unix:uid"))
                    .isEqualTo(FIRST_ID);
        }
    }

    @Test
    void theImagesFilesHaveTheOwnersThatTheImageSays() {
        TestImage image = TestImage.builder().layer(Busybox.layer())
                .layer(Layer.builder()
                        .file("data/of-app", 0600, 1000, 1001, "app".getBytes(StandardCharsets.UTF_8))
                        .file("data/beyond", 0644, 70_000, 70_000, "beyond".getBytes(StandardCharsets.UTF_8))
                        .build(Compression.GZIP))
                .build();
        String reference = NODE.pull("owners", image);
        try (PodHandle pod = pod("owners")) {
            ContainerConfig.Builder config = Configs.container("main", reference, "sleep", "1000");
            ContainerHandle container = pod.start(config);

            assertThat(container.sh("stat -c %u:%g / /bin/busybox /data/of-app /data/beyond").lines())
                    .containsExactly("0:0", "0:0", "1000:1001", "65534:65534");
            // Copied up with its owner, which only one can who has that on the node.
            assertThat(
                    container.sh("chown 5:6 /data/of-app; mkdir /new; touch /new/file; echo x >> /etc/group;"
                            + "stat -c %u:%g /data/of-app /new/file /etc/group").lines())
                    .containsExactly("5:6", "0:0", "0:0");
        }
    }

    @Test
    void theFilesOfThePodBelongToItsRoot() {
        try (PodHandle pod = pod("files")) {
            ContainerHandle container = pod.start(idle("main"));

            assertThat(
                    container.sh("stat -c '%n %u:%g %a' /etc/hosts /etc/hostname /etc/resolv.conf /dev/shm")
                            .lines())
                    .containsExactly("/etc/hosts 0:0 644", "/etc/hostname 0:0 644",
                            "/etc/resolv.conf 0:0 644",
                            "/dev/shm 0:0 1777");
            assertThat(container.sh("echo x > /dev/shm/note; cat /dev/shm/note; hostname"))
                    .isEqualTo("x\nfiles");
            assertThat(container.sh("cat /dev/null; echo x > /dev/null; test -c /dev/urandom && echo ok"))
                    .isEqualTo("ok");
        }
    }

    @Test
    void anotherUserThanRootRunsAndHasTheNetworkOfThePod() {
        try (PodHandle pod = pod("user")) {
            ContainerConfig.Builder config = idle("main");
            config.getLinuxBuilder().getSecurityContextBuilder()
                    .setRunAsUser(Int64Value.newBuilder().setValue(1000));
            ContainerHandle container = pod.start(config);

            assertThat(container.sh("id -u; id -g")).isEqualTo("1000\n1001");
            assertThat(container.sh("ip -o -4 addr show dev eth0")).contains(pod.ip());
            assertThat(container.sh("cat /sys/class/net/lo/operstate; ls /proc/self/fd | wc -l").lines())
                    .hasSize(2);
        }
    }

    @Test
    void rootOfTheContainerIsRootOfThePodsNetworkAndOfNothingElse() {
        try (PodHandle pod = pod("rights")) {
            ContainerConfig.Builder config = idle("main");
            config.getLinuxBuilder().getSecurityContextBuilder().getCapabilitiesBuilder()
                    .addAddCapabilities("NET_ADMIN").addAddCapabilities("SYS_ADMIN");
            ContainerHandle container = pod.start(config);

            assertThat(container.sh("ip link set lo down && ip link set lo up && echo ok")).isEqualTo("ok");
            assertThat(container.exec(0, "mknod", "/node", "b", "8", "0").getExitCode()).isNotZero();
        }
    }

    @Test
    void aVolumeIsOwnedInsideAsOnTheNode() throws IOException {
        Path volume = volume("mapped");
        Files.setAttribute(volume.resolve("note"), "unix:uid", 1000);
        try (PodHandle pod = pod("volume")) {
            ContainerHandle container = pod.start(idle("main").addMounts(mapped(mount(volume)))
                    .addMounts(mapped(
                            mount(volume.resolve("note")).setContainerPath("/note").setReadonly(true))));

            assertThat(container.sh("stat -c %u:%g /mnt /mnt/note /note").lines())
                    .containsExactly("0:0", "1000:0", "1000:0");
            container.sh("echo x > /mnt/mine; chown 7:8 /mnt/mine");
            assertThat(Files.getAttribute(volume.resolve("mine"), "unix:uid")).isEqualTo(7);
            assertThat(Files.getAttribute(volume.resolve("mine"), "unix:gid")).isEqualTo(8);
            assertThat(container.sh("sh -c 'echo x > /note' 2>&1 || true")).contains("Read-only");
        }
    }

    @Test
    void aVolumeInMemoryIsMappedWithWhatIsMountedInIt() throws IOException {
        Path volume = volume("memory");
        Command.output("mount", "-t", "tmpfs", "none", volume.toString());
        try {
            Path inner = Files.createDirectory(volume.resolve("inner"));
            Command.output("mount", "-t", "tmpfs", "none", inner.toString());
            Files.writeString(inner.resolve("secret"), "s");
            try (PodHandle pod = pod("memory")) {
                ContainerHandle container = pod.start(idle("main").addMounts(mapped(mount(volume))));

                assertThat(container.sh("stat -c %u /mnt")).isEqualTo("0");
                // crun before 1.9 binds nothing recursively in user namespaces, mapped or not.
                if (handler.equals("runc")) {
                    assertThat(container.sh("stat -c %u /mnt/inner /mnt/inner/secret").lines())
                            .containsExactly("0", "0");
                }
            }
        } finally {
            Command.output("umount", "-R", volume.toString());
        }
    }

    @Test
    void mountsOfTheNodeReachAMappedVolume() throws IOException {
        Path volume = volume("slave");
        Command.output("mount", "-t", "tmpfs", "none", volume.toString());
        Command.output("mount", "--make-shared", volume.toString());
        try (PodHandle pod = pod("slave")) {
            Path late = Files.createDirectory(volume.resolve("late"));
            ContainerHandle container = pod.start(idle("main").addMounts(mapped(mount(volume))
                    .setPropagation(MountPropagation.PROPAGATION_HOST_TO_CONTAINER)));
            Command.output("mount", "-t", "tmpfs", "none", late.toString());
            Files.writeString(late.resolve("note"), "late");

            assertThat(container.sh("cat /mnt/late/note")).isEqualTo("late");
        } finally {
            Command.output("umount", "-R", volume.toString());
        }
    }

    @Test
    void aVolumeWithoutMappingsBelongsToNobodyInside() throws IOException {
        Path volume = volume("plain");
        try (PodHandle pod = pod("plain")) {
            assertThat(pod.start(idle("main").addMounts(mount(volume))).sh("stat -c %u:%g /mnt/note"))
                    .isEqualTo("65534:65534");
        }
    }

    @Test
    void aPodOfTheNodesUsersMayHaveAMappedVolumeToo() throws IOException {
        Path volume = volume("other");
        try (PodHandle pod = NODE.pod("plain-users", handler)) {
            Mount.Builder mount = mount(volume).addUidMappings(mapping(0, 3000, 1))
                    .addGidMappings(mapping(0, 4000, 1));

            assertThat(pod.start(idle("main").addMounts(mount)).sh("stat -c %u:%g /mnt/note"))
                    .isEqualTo("3000:4000");
        }
    }

    @Test
    void whatCannotBeMappedIsSaid() {
        try (PodHandle pod = pod("unmappable")) {
            assertThatThrownBy(() -> pod.create(idle("main").addMounts(mapped(mount(Path.of("/proc"))))))
                    .hasMessageContaining("FAILED_PRECONDITION").hasMessageContaining("/mnt")
                    .hasMessageContaining("cannot map the IDs of /proc").hasMessageContaining("proc");
        }
    }

    @Test
    void containersOfThePodShareItsProcessesWhereItSaysSo() {
        PodSandboxConfig.Builder config = config("sharedpid", namespace -> {});
        config.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder()
                .setPid(NamespaceMode.POD);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            pod.start(withPid(idle("one"), NamespaceMode.POD, ""));
            ContainerHandle other = pod.start(withPid(idle("other"), NamespaceMode.POD, ""));

            Await.until("both are seen", Duration.ofSeconds(10),
                    () -> other.sh("cat /proc/[0-9]*/comm | grep -c sleep"), "2"::equals);
            assertThat(other.sh("cat /proc/1/comm")).isEqualTo("berth-shim");
        }
    }

    @Test
    void aContainerMayLookAtTheProcessesOfAnother() {
        try (PodHandle pod = pod("target")) {
            ContainerHandle target = pod.start(idle("target"));
            ContainerHandle debugger = pod
                    .start(withPid(idle("debugger"), NamespaceMode.TARGET, target.id()));

            assertThat(debugger.sh("readlink /proc/1/ns/pid"))
                    .isEqualTo(target.sh("readlink /proc/1/ns/pid"));
        }
    }

    @Test
    void aPrivilegedContainerHasAllRightsInsideAndNoneOutside() throws IOException {
        PodSandboxConfig.Builder config = config("privileged", namespace -> {});
        config.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerConfig.Builder privileged = idle("main");
            privileged.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
            ContainerHandle container = pod.start(privileged);

            assertThat(container.sh("mount -t tmpfs none /tmp && echo mounted")).isEqualTo("mounted");
            assertThat(container.sh("sh -c 'echo 1 > /proc/sys/vm/drop_caches' 2>&1 || true"))
                    .contains("denied");
        }
    }

    @Test
    void aPodOnTheNodesNetworkMayHaveItsOwnUsers() {
        PodSandboxConfig.Builder config = config("hostnetwork", namespace -> {}).clearHostname();
        config.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder()
                .setNetwork(NamespaceMode.NODE);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerHandle container = pod.start(idle("main"));

            assertThat(container.sh("ls /sys/class/net")).contains("lo");
            assertThat(container.sh("stat -c %u /bin/busybox; cat /proc/self/uid_map").split("\\s+"))
                    .containsExactly("0", "0", Integer.toString(FIRST_ID), Integer.toString(COUNT));
            assertThat(container.sh("ip link set lo down 2>&1 || true")).contains("not permitted");
            assertThat(container.sh("sh -c 'echo 1 > /sys/kernel/mm/ksm/run' 2>&1 || true"))
                    .containsAnyOf("Read-only", "denied", "nonexistent");
        }
        assertThat(NODE.cri().runtime().status(StatusRequest.getDefaultInstance()).getFeatures()
                .getUserNamespacesHostNetwork()).isTrue();
    }

    @Test
    void severalRangesAreMapped() {
        PodSandboxConfig.Builder config = config("ranges", namespace -> namespace.clearUids().clearGids()
                .addUids(mapping(0, FIRST_ID, 10)).addUids(mapping(1000, 300_000, 1))
                .addGids(mapping(0, FIRST_ID, 2000)));
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            assertThat(pod.start(idle("main")).sh("cat /proc/self/uid_map | wc -l; stat -c %u /bin/busybox"))
                    .isEqualTo("2\n0");
        }
    }

    @Test
    void aRestartedDaemonKnowsThePodAndRemovesIt() {
        try (PodHandle pod = pod("restart")) {
            ContainerHandle container = pod.start(idle("main"));
            NODE.server().kill();
            NODE.server().start();

            assertThat(container.sh("touch /after && stat -c %u /after")).isEqualTo("0");
            assertThat(pod.start(idle("second")).sh("stat -c %u /bin/busybox")).isEqualTo("0");
        }
    }

    @Test
    void rangesWithoutRootAreRefused() {
        refused(namespace -> namespace.clearUids().addUids(mapping(1, FIRST_ID, 10)), "userns_options.uids");
        refused(UserNamespace.Builder::clearGids, "userns_options.gids");
        refused(namespace -> namespace.addUids(mapping(5, 200_000, 10)), "userns_options.uids");
        refused(namespace -> namespace.setMode(NamespaceMode.CONTAINER), "userns_options.mode");
    }

    @Test
    void theUsersOfTheNodeAreTheOnesOfAPodThatSaysSo() {
        PodSandboxConfig.Builder config = config("node", namespace -> namespace.clear()
                .setMode(NamespaceMode.NODE));
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            assertThat(pod.start(idle("main")).sh("cat /proc/self/uid_map").split("\\s+"))
                    .containsExactly("0", "0", "4294967295");
        }
    }

    @Test
    void aContainerMayNotHaveOtherUsersThanItsPod() {
        try (PodHandle pod = pod("differs")) {
            ContainerConfig.Builder other = idle("main");
            other.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder()
                    .setUsernsOptions(UserNamespace.newBuilder().setMode(NamespaceMode.NODE));

            assertThatThrownBy(() -> pod.create(other)).isInstanceOfSatisfying(StatusRuntimeException.class,
                    e -> {
                        assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
                        assertThat(e.getMessage()).contains("userns_options");
                    });
        }
    }

    private void refused(Consumer<UserNamespace.Builder> change, String field) {
        assertThatThrownBy(() -> PodHandle.run(NODE.cri(), config("refused", change), handler))
                .isInstanceOfSatisfying(StatusRuntimeException.class, e -> {
                    assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
                    assertThat(e.getMessage()).contains(field);
                });
    }

    private PodHandle pod(String name) {
        return PodHandle.run(NODE.cri(), config(name, namespace -> {}), handler);
    }

    private static PodSandboxConfig.Builder config(String name, Consumer<UserNamespace.Builder> change) {
        PodSandboxConfig.Builder config = Configs.pod(name, NODE.logs());
        UserNamespace.Builder namespace = UserNamespace.newBuilder().setMode(NamespaceMode.POD)
                .addUids(mapping(0, FIRST_ID, COUNT)).addGids(mapping(0, FIRST_ID, COUNT));
        change.accept(namespace);
        config.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder()
                .setUsernsOptions(namespace);
        return config;
    }

    private static IDMapping mapping(int container, int host, int length) {
        return IDMapping.newBuilder().setContainerId(container).setHostId(host).setLength(length).build();
    }

    private static Mount.Builder mapped(Mount.Builder mount) {
        return mount.addUidMappings(mapping(0, FIRST_ID, COUNT)).addGidMappings(mapping(0, FIRST_ID, COUNT));
    }

    private static Mount.Builder mount(Path source) {
        return Mount.newBuilder().setHostPath(source.toString()).setContainerPath("/mnt");
    }

    private static ContainerConfig.Builder idle(String name) {
        return Configs.container(name, NODE.busybox(), "sleep", "1000");
    }

    private static ContainerConfig.Builder withPid(ContainerConfig.Builder container, NamespaceMode mode,
            String target) {
        NamespaceOption.Builder options = container.getLinuxBuilder().getSecurityContextBuilder()
                .getNamespaceOptionsBuilder();
        options.setPid(mode).setTargetId(target);
        return container;
    }

    private Path volume(String name) throws IOException {
        Path volume = Files.createDirectories(NODE.directory().resolve("users-" + handler).resolve(name));
        Files.writeString(volume.resolve("note"), "from the node");
        return volume;
    }

    /** The first process, whose name on the node no other container has. */
    private static long pidOnNode(ContainerHandle container) throws IOException {
        String start = container.sh("cut -d' ' -f22 /proc/1/stat");
        try (var processes = Files.list(Path.of("/proc"))) {
            return processes.map(path -> path.getFileName().toString()).filter(name -> name.matches("[0-9]+"))
                    .filter(name -> startOf(name).equals(start)).mapToLong(Long::parseLong).findFirst()
                    .orElseThrow();
        }
    }

    private static String startOf(String pid) {
        try {
            String stat = Files.readString(Path.of("/proc", pid, "stat"));
            return stat.contains("(sleep)") ? stat.split(" ")[21] : "";
        } catch (IOException e) {
            return "";
        }
    }
}
