package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.IDMapping;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.MountPropagation;
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
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class MountsIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    MountsIT(String handler) {
        this.handler = handler;
    }

    @Test
    void aDirectoryOfTheNodeIsSeenAndWritten() throws IOException {
        Path volume = volume("rw");
        try (PodHandle pod = NODE.pod("rw", handler)) {
            ContainerHandle container = pod.start(idle().addMounts(mount(volume)));

            assertThat(container.sh("cat /mnt/note; echo back > /mnt/answer")).isEqualTo("from the node");
            assertThat(volume.resolve("answer")).hasContent("back\n");
        }
    }

    @Test
    void aReadOnlyMountCannotBeWritten() throws IOException {
        Path volume = volume("ro");
        try (PodHandle pod = NODE.pod("ro", handler)) {
            ContainerHandle container = pod.start(idle().addMounts(mount(volume).setReadonly(true)));

            assertThat(container.sh("touch /mnt/x 2>&1 || true")).contains("Read-only file system");
            assertThat(container.sh("cat /mnt/note")).isEqualTo("from the node");
        }
    }

    @Test
    void aFileMayBeMountedOverAFile() throws IOException {
        Path file = volume("file").resolve("note");
        try (PodHandle pod = NODE.pod("file", handler)) {
            ContainerHandle container = pod
                    .start(idle().addMounts(mount(file).setContainerPath("/etc/passwd")));

            assertThat(container.sh("cat /etc/passwd")).isEqualTo("from the node");
        }
    }

    @Test
    void aMountBelowAnotherMountIsSeen() throws IOException {
        Path outer = volume("outer");
        Files.createDirectory(outer.resolve("inner"));
        Path inner = volume("inner");
        try (PodHandle pod = NODE.pod("nested", handler)) {
            ContainerHandle container = pod
                    .start(idle().addMounts(mount(inner).setContainerPath("/mnt/inner"))
                            .addMounts(mount(outer)));

            assertThat(container.sh("ls /mnt; cat /mnt/inner/note").lines()).containsExactly("inner", "note",
                    "from the node");
        }
    }

    @Test
    void mountsOfTheNodeReachAContainerThatAsksForThem() throws IOException {
        Path volume = sharedVolume("slave");
        try (PodHandle pod = NODE.pod("slave", handler)) {
            ContainerHandle asks = pod.start(idle("asks")
                    .addMounts(mount(volume).setPropagation(MountPropagation.PROPAGATION_HOST_TO_CONTAINER)));
            ContainerHandle doesNot = pod.start(idle("does-not").addMounts(mount(volume)));
            Path late = Files.createDirectory(volume.resolve("late"));
            Command.output("mount", "-t", "tmpfs", "none", late.toString());
            Files.writeString(late.resolve("note"), "late");

            assertThat(asks.sh("ls /mnt/late")).isEqualTo("note");
            assertThat(doesNot.sh("ls /mnt/late")).isEmpty();
        } finally {
            Command.output("umount", "-R", volume.toString());
        }
    }

    @Test
    void mountsOfAPrivilegedContainerReachTheNodeWhereAskedFor() throws IOException {
        Path volume = sharedVolume("shared");
        var config = Configs.pod("shared", NODE.logs());
        config.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerConfig.Builder container = idle()
                    .addMounts(mount(volume).setPropagation(MountPropagation.PROPAGATION_BIDIRECTIONAL));
            container.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);

            pod.start(container)
                    .sh("mkdir /mnt/inside; mount -t tmpfs none /mnt/inside; touch /mnt/inside/note");

            assertThat(volume.resolve("inside/note")).exists();
        } finally {
            Command.output("umount", "-R", volume.toString());
        }
    }

    @Test
    void aReadOnlyMountIsReadOnlyWithAllBelowItWhereAskedFor() throws IOException {
        Path volume = volume("recursive");
        Path inner = Files.createDirectories(volume.resolve("inner"));
        Command.output("mount", "-t", "tmpfs", "none", inner.toString());
        try (PodHandle pod = NODE.pod("recursive", handler)) {
            ContainerHandle container = pod.start(idle()
                    .addMounts(mount(volume).setReadonly(true).setRecursiveReadOnly(true))
                    .addMounts(mount(volume).setReadonly(true).setContainerPath("/plain")));

            assertThat(container.sh("touch /mnt/inner/x 2>&1 || true")).contains("Read-only file system");
            assertThat(container.sh("touch /plain/inner/x && echo ok; touch /plain/x 2>&1 || true"))
                    .startsWith("ok").contains("Read-only file system");
            assertThatThrownBy(() -> pod.create(idle("writable")
                    .addMounts(mount(volume).setRecursiveReadOnly(true))))
                    .hasMessageContaining("INVALID_ARGUMENT")
                    .hasMessageContaining("recursive_read_only").hasMessageContaining("/mnt");
        } finally {
            Command.output("umount", inner.toString());
        }
    }

    @Test
    void aLinkOnTheNodeIsFollowedAndOneInTheImageStaysInside() throws IOException {
        Path link = Files.createSymbolicLink(volume("links").resolve("link"), volume("target"));
        String image = NODE.pull("link", TestImage.builder().layer(Busybox.layer()).layer(Layer.builder()
                .symlink("outside", NODE.directory().toString()).build(Compression.GZIP)).build());
        try (PodHandle pod = NODE.pod("links", handler)) {
            ContainerConfig.Builder config = Configs.container("main", image, "sleep", "1000")
                    .addMounts(mount(link)).addMounts(mount(link).setContainerPath("/outside/data"));
            if (handler.equals("crun")) {
                // crun 1.8 makes nothing behind a link that leads nowhere in the image.
                assertThatThrownBy(() -> pod.create(config)).hasMessageContaining("outside");
            } else {
                assertThat(pod.start(config).sh("cat /mnt/note; echo; cat /outside/data/note").lines())
                        .containsExactly("from the node", "from the node");
            }
            assertThat(NODE.directory().resolve("data")).doesNotExist();
        } finally {
            Files.delete(link);
        }
    }

    @Test
    void flagsOfAMountAreObeyed() throws IOException {
        Path volume = volume("flags");
        Files.copy(Path.of("/bin/busybox"), volume.resolve("echo"), StandardCopyOption.REPLACE_EXISTING,
                StandardCopyOption.COPY_ATTRIBUTES);
        try (PodHandle pod = NODE.pod("flags", handler)) {
            ContainerHandle container = pod.start(idle()
                    .addMounts(mount(volume).addMountOptions("noexec").addMountOptions("nosuid")));

            assertThat(container.sh("grep ' /mnt ' /proc/mounts")).contains("noexec").contains("nosuid");
            assertThat(container.sh("/mnt/echo ran 2>&1 || true")).contains("denied");
        }
    }

    @Test
    void mountsThatCannotBeAreNamed() throws IOException {
        Path volume = volume("refused");
        Command.output("mount", "-t", "tmpfs", "none", volume.toString());
        Command.output("mount", "--make-private", volume.toString());
        try (PodHandle pod = NODE.pod("refused", handler)) {
            refused(pod, mount(volume).setPropagation(MountPropagation.PROPAGATION_HOST_TO_CONTAINER),
                    "propagation", volume + " is private");
            refused(pod, mount(volume).setPropagation(MountPropagation.PROPAGATION_BIDIRECTIONAL),
                    "propagation",
                    volume + " is not shared");
            refused(pod, mount(Path.of("/none/such")), "host_path", "/none/such does not exist");
            refused(pod, mount(volume).clearHostPath(), "host_path", "is empty");
            refused(pod, mount(volume).setHostPath("relative"), "host_path", "not an absolute path");
            refused(pod, mount(volume).setContainerPath("relative"), "container_path",
                    "not an absolute path");
            refused(pod, mount(volume).setContainerPath("/a/.."), "container_path", "root");
            refused(pod, mount(volume).addMountOptions("size=5m"), "mount_options", "size=5m");
            refused(pod, mount(volume).addUidMappings(IDMapping.newBuilder().setLength(1)), "uidMappings",
                    "gidMappings");
        } finally {
            Command.output("umount", volume.toString());
        }
    }

    private static void refused(PodHandle pod, Mount.Builder mount, String field, String why) {
        assertThatThrownBy(() -> pod.create(idle("refused").addMounts(mount)))
                .isInstanceOfSatisfying(StatusRuntimeException.class, e -> {
                    assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
                    assertThat(e.getMessage()).contains(field, why);
                });
    }

    @Test
    void theMountsAreReported() throws IOException {
        Path volume = volume("reported");
        try (PodHandle pod = NODE.pod("reported", handler)) {
            Mount mount = mount(volume).setReadonly(true).build();

            assertThat(pod.start(idle().addMounts(mount)).status().getMountsList()).contains(mount);
        }
    }

    private static ContainerConfig.Builder idle() {
        return idle("main");
    }

    private static ContainerConfig.Builder idle(String name) {
        return Configs.container(name, NODE.busybox(), "sleep", "1000");
    }

    private static Mount.Builder mount(Path source) {
        return Mount.newBuilder().setHostPath(source.toString()).setContainerPath("/mnt");
    }

    private Path volume(String name) throws IOException {
        Path volume = Files.createDirectories(NODE.directory().resolve("volumes-" + handler).resolve(name));
        Files.writeString(volume.resolve("note"), "from the node");
        return volume;
    }

    /** A mount that propagates, whatever / does. */
    private Path sharedVolume(String name) throws IOException {
        Path volume = Files.createDirectories(NODE.directory().resolve("volumes-" + handler).resolve(name));
        Command.output("mount", "-t", "tmpfs", "none", volume.toString());
        Command.output("mount", "--make-shared", volume.toString());
        return volume;
    }
}
