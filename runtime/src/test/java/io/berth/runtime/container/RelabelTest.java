package io.berth.runtime.container;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.Mount;
import io.berth.linux.RawPath;
import io.berth.linux.Xattr;
import io.berth.runtime.lifecycle.LifecycleException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A kernel without SELinux keeps its attribute, too, and asks nothing of it. */
class RelabelTest {
    private static final String CONTEXT = "system_u:object_r:container_file_t:s0:c1,c2";

    @TempDir
    Path directory;

    @Test
    void aVolumeIsLabelledWithAllThatIsInItAndNothingElse() throws Exception {
        Path volume = Files.createDirectories(directory.resolve("volume"));
        Path file = Files.writeString(Files.createDirectories(volume.resolve("a/b")).resolve("file"), "x");
        Path outside = Files.writeString(directory.resolve("outside"), "y");
        Path link = Files.createSymbolicLink(volume.resolve("link"), outside);
        Path other = Files.createDirectory(directory.resolve("other"));
        Path way = Files.createSymbolicLink(directory.resolve("way"), volume);

        Relabel.volumes(List.of(mount(way, true), mount(other, false)), CONTEXT);

        assertThat(List.of(label(volume), label(volume.resolve("a")), label(file), label(link)))
                .containsOnly(CONTEXT);
        assertThat(List.of(label(outside), label(other))).doesNotContain(CONTEXT);
    }

    @Test
    void aFileIsAVolume() throws Exception {
        Path file = Files.writeString(directory.resolve("file"), "x");
        Relabel.volumes(List.of(mount(file, true)), CONTEXT);
        assertThat(label(file)).isEqualTo(CONTEXT);
    }

    @Test
    void theNodesOwnDirectoriesAreNotRelabelled() {
        for (String path : List.of("/", "/etc", "/usr", "/var", "/proc")) {
            assertThatThrownBy(() -> Relabel.volumes(List.of(mount(Path.of(path), true)), CONTEXT))
                    .isInstanceOf(LifecycleException.class)
                    .hasMessageContaining("config.mounts.selinux_relabel").hasMessageContaining(path);
        }
    }

    private static Mount mount(Path source, boolean relabel) {
        return Mount.newBuilder().setHostPath(source.toString()).setContainerPath("/data")
                .setSelinuxRelabel(relabel)
                .build();
    }

    private static String label(Path path) throws Exception {
        byte[] value = Objects.requireNonNullElse(Xattr.get(RawPath.of(path), Xattr.SELINUX), new byte[0]);
        return new String(value, StandardCharsets.UTF_8);
    }
}
