package io.berth.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MountsTest {
    @TempDir
    private Path directory;
    private Path target;

    @BeforeEach
    void makeTarget() throws IOException {
        target = Files.createDirectory(directory.resolve("a target"));
    }

    @AfterEach
    void unmountTarget() throws IOException {
        Mounts.unmountAll(target);
    }

    @Test
    void aTmpfsIsAMountPointUntilItIsUnmounted() throws IOException {
        assertThat(Mounts.isMountPoint(target)).isFalse();

        Mounts.tmpfs(target, Set.of(MountFlag.NO_SUID), "mode=1777,size=1m");

        assertThat(Mounts.isMountPoint(target)).isTrue();
        assertThat(Mounts.list()).filteredOn(mount -> mount.mountPoint().equals(target)).singleElement()
                .satisfies(mount -> {
                    assertThat(mount.type()).isEqualTo("tmpfs");
                    assertThat(mount.options()).contains("nosuid");
                    assertThat(mount.superOptions()).contains("size=1024k");
                });

        Mounts.unmount(target, false);
        assertThat(Mounts.isMountPoint(target)).isFalse();
    }

    @Test
    void unmountsWhatIsStackedAndReportsWhetherThereWasAny() throws IOException {
        Mounts.tmpfs(target, Set.of(), "size=1m");
        Mounts.tmpfs(target, Set.of(), "size=1m");

        assertThat(Mounts.unmountAll(target)).isTrue();
        assertThat(Mounts.unmountAll(target)).isFalse();
        assertThat(Mounts.unmountAll(directory.resolve("absent"))).isFalse();
    }

    @Test
    void neverUnmountsThroughASymlink() throws IOException {
        Mounts.tmpfs(target, Set.of(), "size=1m");
        Path link = Files.createSymbolicLink(directory.resolve("link"), target);

        assertThat(Mounts.unmountAll(link)).isFalse();

        assertThat(Mounts.isMountPoint(link)).isFalse();
        assertThat(Mounts.isMountPoint(target)).isTrue();
    }

    @Test
    void aReadOnlyRemountOfABindRefusesWritesThereOnly() throws IOException {
        Path source = Files.createDirectory(directory.resolve("source"));
        Mounts.bind(source, target, false);
        Mounts.makePrivate(target, false);
        Mounts.remountReadOnly(target, Set.of());

        assertThatThrownBy(() -> Files.createFile(target.resolve("file")))
                .isInstanceOf(FileSystemException.class)
                .hasMessageContaining("Read-only");
        assertThat(Files.createFile(source.resolve("file"))).exists();
        assertThat(target.resolve("file")).exists();
    }

    @Test
    void anErrorNamesTheCallTheTargetAndTheErrno() {
        assertThatThrownBy(() -> Mounts.bind(directory.resolve("absent"), target, false))
                .hasMessage("mount " + directory.resolve("absent") + " at " + target + ": ENOENT");
    }

    @Test
    void refusesOptionsThatTheKernelWouldCut() {
        assertThatThrownBy(() -> Mounts.mount("overlay", target, "overlay", Set.of(), "x".repeat(4096)))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("4097 bytes");
    }

    @Test
    void anOverlayTakesMoreLayersThanAPageOfOptionsHolds() throws IOException {
        Path lowest = directory.resolve("layer-with-quite-a-long-name-0");
        try (FilesystemContext overlay = FilesystemContext.open("overlay")) {
            for (int i = 99; i >= 0; i--) {
                Path layer = Files.createDirectory(directory.resolve("layer-with-quite-a-long-name-" + i));
                Files.writeString(layer.resolve("of-" + i), "");
                overlay.set("lowerdir+", layer.toString());
            }
            overlay.set("upperdir", Files.createDirectory(directory.resolve("upper")).toString());
            overlay.set("workdir", Files.createDirectory(directory.resolve("work")).toString());
            try (DetachedMount mount = overlay.mount(Set.of(MountAttribute.NO_DEV))) {
                mount.attach(target);
            }
        }

        Files.writeString(target.resolve("written"), "");
        assertThat(target.resolve("of-0")).exists();
        assertThat(target.resolve("of-99")).exists();
        assertThat(lowest.resolve("written")).doesNotExist();
        assertThat(directory.resolve("upper/written")).exists();
    }

    @Test
    void aFilesystemThatRefusesAnOptionSaysWhichAndWhy() throws IOException {
        try (FilesystemContext overlay = FilesystemContext.open("overlay")) {
            assertThatThrownBy(() -> overlay.set("nosuchoption", "1")).isInstanceOf(LinuxException.class)
                    .hasMessageContaining("fsconfig overlay nosuchoption=1")
                    .hasMessageContaining("Unknown parameter");
        }
        assertThatThrownBy(() -> FilesystemContext.open("nosuchfs")).hasMessage("fsopen nosuchfs: ENODEV");
    }

    @Test
    void aCloneWithNewAttributesLeavesTheOriginalAsItWas() throws IOException {
        Path source = Files.createDirectory(directory.resolve("source"));
        try (DetachedMount clone = DetachedMount.cloneOf(source, false)) {
            clone.setAttributes(Set.of(MountAttribute.READ_ONLY), Set.of(), false);
            clone.attach(target);
        }

        assertThatThrownBy(() -> Files.createFile(target.resolve("file"))).hasMessageContaining("Read-only");
        assertThat(Files.createFile(source.resolve("file"))).exists();
    }

    @Test
    void mountinfoIsReadWithItsEscapesAndTags() {
        MountInfo mount = MountInfo.parse("36 35 98:0 /mnt1 /mnt/a\\040b\\134c rw,noatime master:1 shared:7 "
                + "- ext3 /dev/ro\\011ot rw,errors=continue");

        assertThat(mount).isEqualTo(new MountInfo(36, 35, "98:0", "/mnt1", Path.of("/mnt/a b\\c"),
                List.of("rw", "noatime"), List.of("master:1", "shared:7"), "ext3", "/dev/ro\tot",
                List.of("rw", "errors=continue")));
        assertThat(MountInfo.parse("1 0 0:1 / /- rw - tmpfs tmpfs rw").mountPoint()).isEqualTo(Path.of("/-"));
        assertThatThrownBy(() -> MountInfo.parse("36 35 98:0 / / rw")).hasMessageContaining("36 35 98:0");
        assertThatThrownBy(() -> MountInfo.parse("x 35 98:0 / / rw - a b c")).hasMessageContaining("x 35");
    }
}
