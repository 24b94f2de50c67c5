package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.Mount;
import io.berth.cri.v1.MountPropagation;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** The fields of a mount that change how its source is found, and what of it can be written. */
@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class MountRequestsIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    MountRequestsIT(String handler) {
        this.handler = handler;
    }

    @Test
    void aLinkOnTheNodeLeadsToWhatIsMounted() throws IOException {
        Path target = Files.createDirectories(directory("target"));
        Files.writeString(target.resolve("file"), "behind the link");
        Path link = Files.createSymbolicLink(directory("link"), target);
        try (PodHandle pod = NODE.pod("link", handler)) {
            assertThat(start(pod, mount(link)).sh("cat /mnt/file; touch /mnt/new"))
                    .isEqualTo("behind the link");
        }
        assertThat(target.resolve("new")).exists();
    }

    @Test
    void aPrivateMountHearsOfNoLaterMountOfTheNode() throws IOException {
        Path source = sharedDirectory("private");
        try (PodHandle pod = NODE.pod("private", handler)) {
            ContainerHandle container = start(pod, mount(source));
            Path later = Files.createDirectory(source.resolve("later"));
            Command.output("mount", "-t", "tmpfs", "none", later.toString());
            Files.writeString(later.resolve("file"), "unseen");

            assertThat(container.sh("ls /mnt/later")).isEmpty();
            Command.output("umount", later.toString());
        }
        Command.output("umount", source.toString());
    }

    @Test
    void aMountInsideOfAReadOnlyOneIsWritableUnlessTheRequestSaysRecursive() throws IOException {
        Path source = sharedDirectory("nested");
        Path inner = Files.createDirectory(source.resolve("inner"));
        Command.output("mount", "-t", "tmpfs", "none", inner.toString());
        try (PodHandle pod = NODE.pod("nested", handler)) {
            Mount.Builder readOnly = mount(source).setReadonly(true);
            ContainerHandle plain = start(pod, readOnly);
            ContainerHandle recursive = pod
                    .start(Configs.container("recursive", NODE.busybox(), "sleep", "1000")
                            .addMounts(readOnly.setRecursiveReadOnly(true)));

            assertThat(plain.exec(0, "touch", "/mnt/x").getStderr().toStringUtf8()).contains("Read-only");
            assertThat(plain.sh("touch /mnt/inner/x && echo written")).isEqualTo("written");
            assertThat(recursive.exec(0, "touch", "/mnt/inner/y").getStderr().toStringUtf8())
                    .contains("Read-only");
            assertThat(recursive.status().getMounts(0).getRecursiveReadOnly()).isTrue();
        }
        Command.output("umount", inner.toString());
        Command.output("umount", source.toString());
    }

    @ParameterizedTest
    @EnumSource(names = {"PROPAGATION_HOST_TO_CONTAINER", "PROPAGATION_BIDIRECTIONAL"})
    void aRecursiveReadOnlyMountThatPropagatesIsRefused(MountPropagation propagation) throws IOException {
        Mount.Builder mount = mount(Files.createDirectories(directory("propagating"))).setReadonly(true)
                .setRecursiveReadOnly(true).setPropagation(propagation);
        try (PodHandle pod = NODE.pod("propagating", handler)) {
            assertThatThrownBy(() -> start(pod, mount)).hasMessageStartingWith("INVALID_ARGUMENT")
                    .hasMessageContaining("config.mounts.recursive_read_only");
        }
    }

    @Test
    void aRecursiveReadOnlyMountMustBeReadOnly() throws IOException {
        Mount.Builder mount = mount(Files.createDirectories(directory("writable")))
                .setRecursiveReadOnly(true);
        try (PodHandle pod = NODE.pod("writable", handler)) {
            assertThatThrownBy(() -> start(pod, mount)).hasMessageStartingWith("INVALID_ARGUMENT")
                    .hasMessageContaining("config.mounts.recursive_read_only");
        }
    }

    @Test
    void optionsOfAMountAreInForce() throws IOException {
        Mount.Builder mount = mount(Files.createDirectories(directory("options"))).addMountOptions("noexec")
                .addMountOptions("nosuid");
        try (PodHandle pod = NODE.pod("options", handler)) {
            assertThat(start(pod, mount).sh("grep ' /mnt ' /proc/mounts")).contains("noexec")
                    .contains("nosuid");
        }
    }

    private static Mount.Builder mount(Path source) {
        return Mount.newBuilder().setHostPath(source.toString()).setContainerPath("/mnt");
    }

    private static ContainerHandle start(PodHandle pod, Mount.Builder mount) {
        return pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000").addMounts(mount));
    }

    private Path directory(String name) {
        return NODE.directory().resolve(name + "-" + handler);
    }

    private Path sharedDirectory(String name) throws IOException {
        Path directory = Files.createDirectories(directory(name));
        Command.output("mount", "-t", "tmpfs", "none", directory.toString());
        Command.output("mount", "--make-shared", directory.toString());
        return directory;
    }
}
