package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.SELinuxOption;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.ShimProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@NeedsFeature(NodeFeature.SELINUX)
@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class SelinuxIT {
    private static final String CURRENT = "tr -d '\\0' < /proc/1/attr/current";
    private static final String LEVEL = "s0:c123,c456";

    @Container
    static final Node NODE = new Node();

    private final String handler;

    SelinuxIT(String handler) {
        this.handler = handler;
    }

    @Test
    void aContainerHasTheContextThatItAsksFor() {
        try (PodHandle pod = NODE.pod("asks", handler)) {
            ContainerHandle container = pod.start(labelled("main", "container_t", LEVEL));

            assertThat(container.sh(CURRENT)).isEqualTo("system_u:system_r:container_t:" + LEVEL);
            assertThat(container.sh("tr -d '\\0' < /proc/self/attr/current"))
                    .as("of an exec").isEqualTo("system_u:system_r:container_t:" + LEVEL);
        }
    }

    @Test
    void containersOfAPodShareALevelThatNoOtherPodHas() {
        try (PodHandle pod = NODE.pod("one", handler); PodHandle other = NODE.pod("other", handler)) {
            String first = pod.start(idle("first")).sh(CURRENT);
            String second = pod.start(idle("second")).sh(CURRENT);
            String third = other.start(idle("third")).sh(CURRENT);

            assertThat(first).matches("system_u:system_r:\\w+:s0:c\\d+,c\\d+").isEqualTo(second)
                    .isNotEqualTo(third);
        }
    }

    @Test
    void filesOfAContainerHaveItsLevel() throws IOException {
        try (PodHandle pod = NODE.pod("files", handler)) {
            ContainerHandle container = pod.start(labelled("main", "container_t", LEVEL));
            container.sh("touch /made /dev/shm/made");

            Path root = root(container);
            for (String file : new String[]{"made", "bin/sh"}) {
                assertThat(context(root.resolve(file))).as(file).endsWith("file_t:" + LEVEL);
            }
        }
    }

    @Test
    void whatThePodsContainersShareHasThePodsLevel() throws IOException {
        PodSandboxConfig.Builder config = Configs.pod("shared", NODE.logs());
        config.getLinuxBuilder().getSecurityContextBuilder()
                .setSelinuxOptions(SELinuxOption.newBuilder().setLevel(LEVEL));
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerHandle container = pod.start(idle("main"));
            container.sh("touch /dev/shm/made");

            assertThat(container.sh(CURRENT)).endsWith(LEVEL);
            Path root = root(container);
            for (String file : new String[]{"etc/hosts", "etc/resolv.conf", "dev/shm/made"}) {
                assertThat(context(root.resolve(file))).as(file).endsWith("file_t:" + LEVEL);
            }
        }
    }

    @Test
    void aVolumeIsLabelledWhereThatIsAskedFor() throws IOException {
        Path wanted = Files.createTempDirectory(NODE.directory(), "wanted");
        Path file = Files.writeString(Files.createDirectory(wanted.resolve("in")).resolve("file"), "x");
        Path other = Files.createTempDirectory(NODE.directory(), "other");
        String before = context(other);
        try (PodHandle pod = NODE.pod("volumes", handler)) {
            pod.start(labelled("main", "container_t", LEVEL)
                    .addMounts(mount(wanted, "/wanted").setSelinuxRelabel(true))
                    .addMounts(mount(other, "/other")));

            assertThat(context(wanted)).endsWith("file_t:" + LEVEL);
            assertThat(context(file)).endsWith("file_t:" + LEVEL);
            assertThat(context(other)).isEqualTo(before);
        }
    }

    @Test
    void theNodesOwnDirectoriesAreNotLabelled() throws IOException {
        String before = context(Path.of("/etc"));
        try (PodHandle pod = NODE.pod("own", handler)) {
            assertThatThrownBy(() -> pod.create(labelled("main", "container_t", LEVEL)
                    .addMounts(mount(Path.of("/etc"), "/data").setSelinuxRelabel(true))))
                    .hasMessageContaining("INVALID_ARGUMENT").hasMessageContaining("selinux_relabel");
        }
        assertThat(context(Path.of("/etc"))).isEqualTo(before);
    }

    @Test
    void aPrivilegedContainerHasNoContextOfItsOwn() {
        PodSandboxConfig.Builder config = Configs.pod("privileged", NODE.logs());
        config.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerConfig.Builder container = labelled("main", "container_t", LEVEL);
            container.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);

            assertThat(pod.start(container).sh(CURRENT)).doesNotContain("container_t")
                    .doesNotContain(LEVEL);
        }
    }

    private static ContainerConfig.Builder labelled(String name, String type, String level) {
        ContainerConfig.Builder container = idle(name);
        container.getLinuxBuilder().getSecurityContextBuilder()
                .setSelinuxOptions(SELinuxOption.newBuilder().setType(type).setLevel(level));
        return container;
    }

    private static ContainerConfig.Builder idle(String name) {
        return Configs.container(name, NODE.busybox(), "sleep", "1000");
    }

    private static Mount.Builder mount(Path source, String target) {
        return Mount.newBuilder().setHostPath(source.toString()).setContainerPath(target);
    }

    /** The container's file system, seen from the node. */
    private static Path root(ContainerHandle container) {
        ProcessHandle process = ShimProcess.of(container.id()).process().children().findFirst().orElseThrow();
        return Path.of("/proc", Long.toString(process.pid()), "root");
    }

    private static String context(Path path) {
        return Command.output("stat", "-c", "%C", path.toString());
    }
}
