package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.IDMapping;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ImageStatusRequest;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.RemoveImageRequest;
import io.berth.cri.v1.UserNamespace;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.Node;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Images as volumes of a container, and the volumes that images declare. */
@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class ImageVolumesIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    ImageVolumesIT(String handler) {
        this.handler = handler;
    }

    @Test
    void anImageIsSeenWithAllItsLayersAndCannotBeWritten() {
        try (PodHandle pod = NODE.pod("image", handler)) {
            ContainerHandle container = pod.start(idle("main").addMounts(volume(model("whole"))));

            assertThat(container.sh("cat /model/weights/big; ls /model")).isEqualTo("second\nlinks\nweights");
            assertThat(container.sh("stat -c '%u:%g %a' /model/weights/owned")).isEqualTo("1000:1001 640");
            assertThat(container.sh("touch /model/x 2>&1 || true")).contains("Read-only file system");
            assertThat(container.sh("touch /model/weights/big 2>&1 || true"))
                    .contains("Read-only file system");
        }
    }

    @Test
    void aDirectoryOfAnImageMayBeMountedAlone() {
        String model = model("sub");
        try (PodHandle pod = NODE.pod("sub", handler)) {
            ContainerHandle container = pod.start(idle("main")
                    .addMounts(volume(model).setImageSubPath("weights"))
                    .addMounts(volume(model).setImageSubPath("links/inside").setContainerPath("/linked")));

            assertThat(container.sh("cat /model/big; ls /model; cat /linked/big").lines())
                    .containsExactly("second", "big", "owned", "second");
        }
    }

    @Test
    void theStatusSaysWhichImageAVolumeIsOf() {
        String model = model("told");
        String id = NODE.cri().images()
                .imageStatus(ImageStatusRequest.newBuilder().setImage(image(model)).build())
                .getImage().getId();
        try (PodHandle pod = NODE.pod("told", handler)) {
            ContainerConfig.Builder config = idle("main").addMounts(volume(model));
            ContainerHandle container = pod.create(config);

            assertThat(container.status().getMounts(0).getImage().getImageRef()).isEqualTo(id);
            assertThat(container.status().getMounts(0).getImage().getImage()).isEqualTo(model);
            assertThat(pod.create(config).id()).as("the same asked for again").isEqualTo(container.id());
        }
    }

    @Test
    void anImageInUseAsAVolumeIsThereUntilTheContainerGoes() throws IOException {
        String model = model("in-use");
        try (PodHandle pod = NODE.pod("in-use", handler)) {
            ContainerHandle container = pod.start(idle("main").addMounts(volume(model)));
            NODE.cri().images().removeImage(RemoveImageRequest.newBuilder().setImage(image(model)).build());
            NODE.server().kill();
            NODE.server().start();

            assertThat(container.sh("cat /model/weights/big")).isEqualTo("second");
            assertThat(filesInStore("in-use-only")).isPositive();
            container.stop(0);
            container.remove();
            assertThat(filesInStore("in-use-only")).isZero();
        }
    }

    @Test
    void whatCannotBeMountedIsSaidAndLeavesNothing() {
        String model = model("errors");
        try (PodHandle pod = NODE.pod("errors", handler)) {
            refused(pod, volume("registry.test/none:1"), Status.Code.NOT_FOUND, "registry.test/none:1");
            refused(pod, volume(model).setImageSubPath("none"), "does not exist");
            refused(pod, volume(model).setImageSubPath("weights/big"), "is a file");
            refused(pod, volume(model).setImageSubPath("weights/../.."), "must not contain \"..\"");
            refused(pod, volume(model).setImageSubPath("/weights"), "must be relative");
            refused(pod, volume(model).setImageSubPath("links/up"), "symbolic link out of the image");
            refused(pod, volume(model).setImageSubPath("links/absolute"), "symbolic link out of the image");
            refused(pod, volume(model).setReadonly(false), "readonly");
            refused(pod, volume(model).setHostPath("/tmp"), "host_path");
            refused(pod, Mount.newBuilder().setHostPath("/tmp").setContainerPath("/m").setImageSubPath("x"),
                    "image_sub_path");
        }
    }

    @Test
    void anImageIsOwnedRightlyInAPodWithItsOwnUsers() {
        PodSandboxConfig.Builder config = Configs.pod("users", NODE.logs());
        IDMapping mapping = IDMapping.newBuilder().setHostId(100_000).setLength(65_536).build();
        config.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder().setUsernsOptions(
                UserNamespace.newBuilder().setMode(NamespaceMode.POD).addUids(mapping).addGids(mapping));
        String model = model("mapped");
        String declared = NODE.pull("declared-mapped", declaring());
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerHandle container = pod.start(Configs.container("main", declared, "sleep", "1000")
                    .addMounts(volume(model).addUidMappings(mapping).addGidMappings(mapping)));

            assertThat(container.sh("stat -c %u:%g /model /model/weights/owned").lines())
                    .containsExactly("0:0", "1000:1001");
            assertThat(container
                    .sh("stat -c %u:%g /data /data/owned /fresh; touch /data/new /fresh/new && echo ok")
                    .lines()).containsExactly("0:0", "1000:1001", "0:0", "ok");
        }
    }

    @Test
    void aDeclaredVolumeHasTheImagesContentOutsideOfTheRoot() throws IOException {
        String image = NODE.pull("declared", declaring());
        try (PodHandle pod = NODE.pod("declared", handler)) {
            ContainerConfig.Builder config = Configs.container("main", image, "sleep", "1000");
            config.getLinuxBuilder().getSecurityContextBuilder().setReadonlyRootfs(true);
            ContainerHandle container = pod.start(config);

            assertThat(
                    container.sh("cat /data/note; stat -c '%u:%g %a' /data/owned /data; readlink /data/link")
                            .lines())
                    .containsExactly("from the image", "1000:1001 600", "0:0 1777", "note");
            assertThat(container.sh("echo changed > /data/note; cat /data/note; touch /fresh/x; ls /fresh")
                    .lines())
                    .containsExactly("changed", "x");
            assertThat(container.sh("grep -c ' /data \\| /fresh ' /proc/mounts")).isEqualTo("2");
            assertThat(container.sh("grep ' /data ' /proc/mounts")).doesNotContain("overlay");

            ContainerHandle other = pod.start(Configs.container("other", image, "sleep", "1000"));
            assertThat(other.sh("cat /data/note")).isEqualTo("from the image");
        }
    }

    @Test
    void aMountOfTheRequestTakesThePlaceOfADeclaredVolume() throws IOException {
        Path volume = Files.createDirectories(NODE.directory().resolve("wins-" + handler));
        Files.writeString(volume.resolve("note"), "from the node");
        String image = NODE.pull("declared-wins", declaring());
        try (PodHandle pod = NODE.pod("wins", handler)) {
            ContainerHandle container = pod.start(Configs.container("main", image, "sleep", "1000")
                    .addMounts(Mount.newBuilder().setHostPath(volume.toString()).setContainerPath("/data")));

            assertThat(container.sh("ls /data; cat /data/note")).isEqualTo("note\nfrom the node");
        }
    }

    /** Named as nothing else in the store, to be looked for. */
    private static String model(String name) {
        return NODE.pull("model-" + name, TestImage.builder()
                .layer(Layer.builder().directory("weights", 0755).file("weights/big", 0644, "first")
                        .file("weights/gone", 0644, "x").directory("links", 0755)
                        .symlink("links/inside", "../weights").symlink("links/up", "../../../../../etc")
                        .symlink("links/absolute", "/weights").build(Compression.GZIP))
                .layer(Layer.builder().file("weights/big", 0644, "second\n").whiteout("weights/gone")
                        .file("weights/owned", 0640, 1000, 1001, name.getBytes(StandardCharsets.UTF_8))
                        .build(Compression.GZIP))
                .layer(Layer.builder().file("links/" + name + "-only", 0644, name).build(Compression.GZIP))
                .build());
    }

    private static TestImage declaring() {
        return TestImage.builder().layer(Busybox.layer())
                .layer(Layer.builder().directory("data", 01777).file("data/note", 0644, "from the image\n")
                        .file("data/owned", 0600, 1000, 1001, "x".getBytes(StandardCharsets.UTF_8))
                        .symlink("data/link", "note")
                        .build(Compression.GZIP))
                .config(config -> {
                    var volumes = config.putObject("Volumes");
                    volumes.putObject("/data/");
                    volumes.putObject("/fresh");
                })
                .build();
    }

    private static ImageSpec image(String reference) {
        return ImageSpec.newBuilder().setImage(reference).build();
    }

    private static Mount.Builder volume(String reference) {
        return Mount.newBuilder().setContainerPath("/model").setImage(image(reference)).setReadonly(true);
    }

    private static ContainerConfig.Builder idle(String name) {
        return Configs.container(name, NODE.busybox(), "sleep", "1000");
    }

    private static void refused(PodHandle pod, Mount.Builder mount, String message) {
        refused(pod, mount, Status.Code.INVALID_ARGUMENT, message);
    }

    private static void refused(PodHandle pod, Mount.Builder mount, Status.Code code, String message) {
        assertThatThrownBy(() -> pod.create(idle("refused").addMounts(mount)))
                .isInstanceOfSatisfying(StatusRuntimeException.class, e -> {
                    assertThat(e.getStatus().getCode()).isEqualTo(code);
                    assertThat(e.getMessage()).contains(message).contains(mount.getContainerPath());
                });
    }

    private static long filesInStore(String name) throws IOException {
        try (Stream<Path> files = Files.walk(NODE.directory().resolve("d/root/images/layers"))) {
            return files.filter(file -> file.endsWith(name)).count();
        }
    }
}
