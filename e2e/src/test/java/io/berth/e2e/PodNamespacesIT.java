package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.PodSandboxState;
import io.berth.cri.v1.PodSandboxStatus;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class PodNamespacesIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    PodNamespacesIT(String handler) {
        this.handler = handler;
    }

    @Test
    void containersOfAPodShareItsMemory() {
        try (PodHandle pod = NODE.pod("shm", handler)) {
            pod.start(container("writer")).sh("echo written > /dev/shm/note");

            assertThat(pod.start(container("reader")).sh("cat /dev/shm/note")).isEqualTo("written");
        }
    }

    @Test
    void sharedMemoryIsATmpfsOf64Megabytes() {
        try (PodHandle pod = NODE.pod("shmsize", handler)) {
            assertThat(pod.start(container("main")).sh("grep ' /dev/shm ' /proc/mounts"))
                    .contains(" tmpfs ").contains("nosuid").contains("nodev").contains("noexec")
                    .contains("size=65536k");
        }
    }

    @Test
    void containersOfAPodShareIpcAndHostnameButNotProcesses() {
        try (PodHandle pod = NODE.pod("namespaces", handler)) {
            ContainerHandle one = pod.start(container("one"));
            ContainerHandle other = pod.start(container("other"));

            for (String kind : List.of("ipc", "uts", "net")) {
                assertThat(namespace(one, kind)).as(kind).isEqualTo(namespace(other, kind))
                        .isNotEqualTo(namespaceOfTheNode(kind));
            }
            for (String kind : List.of("pid", "mnt")) {
                assertThat(namespace(one, kind)).as(kind).isNotEqualTo(namespace(other, kind));
            }
            assertThat(one.sh("cat /proc/1/cmdline | tr '\\0' ' '")).isEqualTo("sleep 1000");
        }
    }

    @Test
    void aPodWithSharedProcessesHasAnInitThatReaps() {
        var config = Configs.pod("sharedpid", NODE.logs());
        config.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder()
                .setPid(NamespaceMode.POD);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerHandle one = pod.start(withPid(container("one"), NamespaceMode.POD));
            ContainerHandle other = pod.start(withPid(container("other"), NamespaceMode.POD));

            assertThat(namespace(one, "pid")).isEqualTo(namespace(other, "pid"));
            assertThat(one.sh("cat /proc/1/cmdline")).doesNotContain("1000");
            other.sh("sh -c 'sleep 0.05 &'");
            Await.until("the orphan is reaped", Duration.ofSeconds(10),
                    () -> one.sh("cat /proc/[0-9]*/stat 2>/dev/null | grep -c '(sleep)' || true"),
                    "2"::equals);
            assertThat(one.sh("grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null || true")).isEmpty();
        }
    }

    @Test
    void aPodMaySeeTheProcessesOfTheNode() {
        var config = Configs.pod("hostpid", NODE.logs());
        config.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder()
                .setPid(NamespaceMode.NODE);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerHandle container = pod.start(withPid(container("main"), NamespaceMode.NODE));

            assertThat(namespace(container, "pid")).isEqualTo(namespaceOfTheNode("pid"));
        }
    }

    @Test
    void aPodMayHaveTheIpcOfTheNode() {
        var config = Configs.pod("hostipc", NODE.logs());
        config.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder()
                .setIpc(NamespaceMode.NODE);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerConfig.Builder container = container("main");
            container.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder()
                    .setIpc(NamespaceMode.NODE);

            assertThat(namespace(pod.start(container), "ipc")).isEqualTo(namespaceOfTheNode("ipc"));
        }
    }

    @Test
    void sysctlsOfAPodAreSetInItAndNotOnTheNode() throws IOException {
        var config = Configs.pod("sysctls", NODE.logs());
        config.getLinuxBuilder().putSysctls("net.ipv4.ip_unprivileged_port_start", "80")
                .putSysctls("kernel.shm_rmid_forced", "1");
        Path onNode = Path.of("/proc/sys/kernel/shm_rmid_forced");
        String before = Files.readString(onNode);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerHandle container = pod.start(container("main"));

            assertThat(container.sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start")).isEqualTo("80");
            assertThat(container.sh("cat /proc/sys/kernel/shm_rmid_forced")).isEqualTo("1");
            assertThat(Files.readString(onNode)).isEqualTo(before);
        }
    }

    @Test
    void aPodIsReportedAsItWasAskedFor() {
        var config = Configs.pod("reported", NODE.logs()).putAnnotations("note", "kept");
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            PodSandboxStatus status = pod.status();

            assertThat(status.getState()).isEqualTo(PodSandboxState.SANDBOX_READY);
            assertThat(status.getMetadata()).isEqualTo(config.getMetadata());
            assertThat(status.getLabelsMap()).isEqualTo(config.getLabelsMap());
            assertThat(status.getAnnotationsMap()).isEqualTo(config.getAnnotationsMap());
            assertThat(status.getRuntimeHandler()).isEqualTo(handler);
            assertThat(Instant.ofEpochSecond(0, status.getCreatedAt()))
                    .isBetween(Instant.now().minusSeconds(60), Instant.now());
        }
    }

    private static ContainerConfig.Builder container(String name) {
        return Configs.container(name, NODE.busybox(), "sleep", "1000");
    }

    private static ContainerConfig.Builder withPid(ContainerConfig.Builder container, NamespaceMode mode) {
        container.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder().setPid(mode);
        return container;
    }

    private static String namespace(ContainerHandle container, String kind) {
        return container.sh("readlink /proc/self/ns/" + kind);
    }

    private static String namespaceOfTheNode(String kind) {
        return Command.output("readlink", "/proc/self/ns/" + kind);
    }
}
