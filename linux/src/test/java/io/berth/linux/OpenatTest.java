package io.berth.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OpenatTest {
    private static final long CONTAINED = OpenFlags.RESOLVE_IN_ROOT | OpenFlags.RESOLVE_NO_MAGICLINKS;

    @TempDir
    private Path folder;

    private Fd root;

    @BeforeEach
    void openRoot() throws LinuxException {
        root = Openat.open(RawPath.of(folder), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY);
    }

    @AfterEach
    void closeRoot() {
        root.close();
    }

    @Test
    void writesAFileWithItsOwnerModeAndTimes() throws Exception {
        ByteBuffer buffer = ByteBuffer.allocateDirect(64).put("hello".getBytes(StandardCharsets.US_ASCII));
        RawPath name = RawPath.of("grüße");
        try (Fd file = Openat.open(root, name, OpenFlags.O_WRONLY | OpenFlags.O_CREAT | OpenFlags.O_EXCL,
                0600)) {
            FileIo.write(file, FileIo.address(buffer), 5, name);
            FileIo.pwrite(file, FileIo.address(buffer), 2, 10, name);
            FileIo.chown(file, 12, 34, name);
            FileIo.chmod(file, 04755, name);
            FileIo.setTimes(file, FileTimes.of(-5, 123), name);
        }

        Stat stat = Openat.stat(root, name);

        assertThat(stat).isNotNull();
        assertThat(stat.mode()).isEqualTo(Openat.S_IFREG | 04755);
        assertThat(stat.uid()).isEqualTo(12);
        assertThat(stat.gid()).isEqualTo(34);
        assertThat(stat.size()).isEqualTo(12);
        assertThat(stat.modifiedSeconds()).isEqualTo(-5);
        assertThat(stat.modifiedNanos()).isEqualTo(123);
        try (var files = Files.list(folder)) {
            assertThat(Files.readAllBytes(files.findFirst().orElseThrow()))
                    .isEqualTo("hello\0\0\0\0\0he".getBytes(StandardCharsets.US_ASCII));
        }
    }

    @Test
    void aLinkOutOfTheRootLeadsIntoTheRoot() throws Exception {
        Openat.symlink(RawPath.of("/etc"), root, RawPath.of("link"));
        RawPath throughLink = RawPath.of("link/made");

        assertThatThrownBy(
                () -> Openat.open(root, throughLink, OpenFlags.O_WRONLY | OpenFlags.O_CREAT, 0600, CONTAINED))
                .isInstanceOfSatisfying(LinuxException.class, e -> {
                    assertThat(e.errno()).isEqualTo(Errno.ENOENT);
                    assertThat(e).hasMessage("openat2 link/made: ENOENT");
                });
        Openat.mkdir(root, RawPath.of("etc"), 0755);
        Openat.open(root, throughLink, OpenFlags.O_WRONLY | OpenFlags.O_CREAT, 0600, CONTAINED).close();

        assertThat(folder.resolve("etc/made")).exists();
        assertThat(Path.of("/etc/made")).doesNotExist();
        assertThat(Openat.readlink(root, RawPath.of("link"))).hasToString("/etc");
    }

    @Test
    void directoryFlagsAreThisMachinesOwn() throws Exception {
        Openat.symlink(RawPath.of("."), root, RawPath.of("link"));
        Files.createFile(folder.resolve("file"));

        assertThatThrownBy(() -> Openat.open(root, RawPath.of("file"), OpenFlags.O_DIRECTORY, 0))
                .hasMessageEndingWith("ENOTDIR");
        assertThatThrownBy(() -> Openat.open(root, RawPath.of("link"), OpenFlags.O_NOFOLLOW, 0))
                .hasMessageEndingWith("ELOOP");
    }

    @Test
    void makesDevicesFifosAndLinks() throws Exception {
        Openat.mknod(root, RawPath.of("device"), Openat.S_IFCHR | 0600, Openat.device(259, 70000));
        Openat.mknod(root, RawPath.of("fifo"), Openat.S_IFIFO | 0644, 0);
        Openat.link(root, RawPath.of("fifo"), root, RawPath.of("other"));
        Openat.mkdir(root, RawPath.of("dir"), 0700);
        Openat.rename(root, RawPath.of("other"), root, RawPath.of("moved"), Openat.RENAME_NOREPLACE);

        assertThat(Openat.stat(root, RawPath.of("device"))).satisfies(stat -> {
            assertThat(stat.type()).isEqualTo(Openat.S_IFCHR);
            assertThat(stat.rdevMajor()).isEqualTo(259);
            assertThat(stat.rdevMinor()).isEqualTo(70000);
        });
        assertThat(Openat.stat(root, RawPath.of("moved")))
                .satisfies(stat -> assertThat(stat.links()).isEqualTo(2));
        Openat.unlink(root, RawPath.of("moved"));
        Openat.rmdir(root, RawPath.of("dir"));
        assertThat(Openat.stat(root, RawPath.of("moved"))).isNull();
        assertThat(Openat.stat(root, RawPath.of("dir"))).isNull();
    }

    @Test
    void extendedAttributesOfAnyFileAreSetAndRead() throws Exception {
        byte[] value = {0, 1, (byte) 0xff};
        Openat.symlink(RawPath.of("nowhere"), root, RawPath.of("link"));
        Xattr.set(root, RawPath.of("link"), "trusted.berth", value);
        Files.createFile(folder.resolve("file"));
        RawPath file = RawPath.of(folder.resolve("file"));
        Xattr.set(file, "user.one", value);
        try (Fd open = Openat.open(file, OpenFlags.O_RDONLY)) {
            Xattr.set(open, "user.two", new byte[0]);
            assertThat(Xattr.get(open, "user.two")).isEmpty();
        }

        assertThat(Xattr.get(RawPath.of(folder.resolve("link")), "trusted.berth")).isEqualTo(value);
        assertThat(Xattr.get(file, "user.three")).isNull();
        assertThat(Xattr.list(file)).contains("user.one", "user.two");
    }

    @Test
    void aFileSystemTellsItsSizeAndSyncs() throws Exception {
        Filesystem filesystem = Filesystem.of(RawPath.of(folder));

        assertThat(filesystem.totalBytes()).isGreaterThan(filesystem.availableBytes());
        assertThat(Filesystem.of(RawPath.of("/proc")).type()).isEqualTo(0x9fa0);
        Filesystem.sync(root, folder);
        FileIo.sync(root, folder);
    }

    @Test
    void aZeroByteIsNoPath() {
        assertThatThrownBy(() -> RawPath.of("a\0b")).isInstanceOf(IllegalArgumentException.class);
    }
}
