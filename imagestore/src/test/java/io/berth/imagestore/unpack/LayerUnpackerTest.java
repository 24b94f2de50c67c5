package io.berth.imagestore.unpack;

import static io.berth.imagestore.unpack.TarBuilder.directory;
import static io.berth.imagestore.unpack.TarBuilder.file;
import static io.berth.imagestore.unpack.TarBuilder.hardLink;
import static io.berth.imagestore.unpack.TarBuilder.symlink;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.LayerLimits;
import io.berth.imagestore.record.Difference;
import io.berth.imagestore.record.LayerTar;
import io.berth.imagestore.record.LayerVerifier;
import io.berth.imagestore.record.RecordFiles;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.registry.Digest;
import io.berth.linux.Fd;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.linux.Stat;
import io.berth.linux.Xattr;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LayerUnpackerTest {
    @TempDir
    private Path folder;

    private Path layer;

    @BeforeEach
    void makeLayer() throws IOException {
        layer = Files.createDirectory(folder.resolve("layer"));
    }

    @Test
    void filesKeepContentOwnerModeAndTimes() throws Exception {
        byte[] large = new byte[3_000_001];
        new Random(1).nextBytes(large);
        unpack(new TarBuilder().add(directory("usr/").mode(02775).owner(3, 4).modified(11))
                .add(file("usr/tool", large).mode(04755).owner(1000, 70000).modified(-7))
                .add(file("usr/plain", "x").mode(0666).pax("mtime", "1700000000.123456789"))
                .add(file("usr/empty", "").mode(0)));

        assertThat(Files.readAllBytes(layer.resolve("usr/tool"))).isEqualTo(large);
        assertThat(stat("usr/tool")).satisfies(stat -> {
            assertThat(stat.mode()).isEqualTo(Openat.S_IFREG | 04755);
            assertThat(stat.uid()).isEqualTo(1000);
            assertThat(stat.gid()).isEqualTo(70000);
            assertThat(stat.modifiedSeconds()).isEqualTo(-7);
        });
        assertThat(stat("usr/plain").permissions()).isEqualTo(0666);
        assertThat(stat("usr/plain").gid()).isZero();
        assertThat(stat("usr/plain").modifiedNanos()).isEqualTo(123456789);
        assertThat(stat("usr/empty").permissions()).isZero();
        assertThat(stat("usr")).satisfies(stat -> {
            assertThat(stat.permissions()).isEqualTo(02775);
            assertThat(stat.uid()).isEqualTo(3);
            assertThat(stat.gid()).isEqualTo(4);
            assertThat(stat.modifiedSeconds()).isEqualTo(11);
        });
    }

    @Test
    void largeNumbersAndLongNamesOfGnuAndPaxAreRead() throws Exception {
        String deep = "d".repeat(120) + "/" + "e".repeat(200);
        unpack(new TarBuilder().add(file(deep, "gnu").owner(4_000_000_000L, 3_000_000_000L))
                .add(file("short", "pax").pax("path", "p/" + "f".repeat(250)).pax("uid", "5"))
                .add(symlink("link", "t".repeat(300))));

        assertThat(layer.resolve(deep)).hasContent("gnu");
        assertThat(stat(deep).uid()).isEqualTo((int) 4_000_000_000L);
        assertThat(layer.resolve("p/" + "f".repeat(250))).hasContent("pax");
        assertThat(stat("p/" + "f".repeat(250)).uid()).isEqualTo(5);
        assertThat(Files.readSymbolicLink(layer.resolve("link"))).hasToString("t".repeat(300));
    }

    @Test
    void linksDevicesAndFifosAreMade() throws Exception {
        UnpackedLayer unpacked = unpack(new TarBuilder().add(file("a", "one")).add(hardLink("dir/b", "/a"))
                .add(symlink("link", "/nowhere").owner(7, 8).modified(99)).add(hardLink("link2", "./link"))
                .add(TarBuilder.of('3', "null").device(1, 3).mode(0666).owner(1, 2))
                .add(TarBuilder.of('4', "disk").device(259, 70000).mode(0600))
                .add(TarBuilder.of('6', "pipe").mode(0622)));

        assertThat(stat("dir/b").inode()).isEqualTo(stat("a").inode());
        assertThat(stat("link2").inode()).isEqualTo(stat("link").inode());
        assertThat(stat("link").uid()).isEqualTo(7);
        assertThat(stat("link").modifiedSeconds()).isEqualTo(99);
        assertThat(stat("null").mode()).isEqualTo(Openat.S_IFCHR | 0666);
        assertThat(stat("null").gid()).isEqualTo(2);
        assertThat(stat("disk").rdevMajor()).isEqualTo(259);
        assertThat(stat("disk").rdevMinor()).isEqualTo(70000);
        assertThat(stat("pipe").mode()).isEqualTo(Openat.S_IFIFO | 0622);
        // The root, dir, a, link, null, disk and pipe.
        assertThat(unpacked.inodes()).isEqualTo(7);
        assertThat(unpacked.impliedDirectories()).containsExactly("", "dir");
    }

    @Test
    void attributesStayTheBytesTheyWere() throws Exception {
        byte[] capability = {1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        byte[] binary = {(byte) 0xff, 0, '\n', (byte) 0xc3, '='};
        unpack(new TarBuilder()
                .add(file("ping", "x").mode(0755).owner(5, 5)
                        .pax("SCHILY.xattr.security.capability", capability)
                        .pax("SCHILY.xattr.user.binary", binary).pax("SCHILY.xattr.security.selinux", "label")
                        .pax("SCHILY.xattr.trusted.overlay.redirect", "/etc"))
                .add(directory("dir").pax("SCHILY.xattr.user.dir", "d")));

        assertThat(Xattr.get(raw("ping"), "security.capability")).isEqualTo(capability);
        assertThat(Xattr.get(raw("ping"), "user.binary")).isEqualTo(binary);
        assertThat(Xattr.get(raw("dir"), "user.dir")).isEqualTo(new byte[]{'d'});
        assertThat(Xattr.list(raw("ping"))).doesNotContain("trusted.overlay.redirect", "security.selinux");
    }

    @Test
    void namesThatAreNotUtf8StayTheBytesTheyWere() throws Exception {
        byte[] tar = new TarBuilder().add(file("grXn", "latin")).unterminated();
        tar[2] = (byte) 0xfc;
        byte[] header = Arrays.copyOf(tar, 512);
        TarBuilder.checksum(header);
        System.arraycopy(header, 0, tar, 0, 512);
        unpack(tar);

        byte[] name = {'g', 'r', (byte) 0xfc, 'n'};
        try (Fd root = Openat.open(RawPath.of(layer), OpenFlags.O_RDONLY)) {
            assertThat(Openat.stat(root, RawPath.of(name, 0, 4))).isNotNull();
        }
    }

    @Test
    void whiteoutsTakeOverlayFormInAnyOrder() throws Exception {
        unpack(new TarBuilder().add(file("etc/.wh.gone", ""))
                // The directory hides what was below it, its own files stay, before or after the marker.
                .add(file("opaque/before", "b")).add(file("opaque/.wh..wh..opq", ""))
                .add(file("opaque/after", "a"))
                .add(file("opaque/.wh.meaningless", ""))
                // A whiteout of what this layer has itself hides only what is below.
                .add(file("kept", "k")).add(file(".wh.kept", "")).add(directory("dir"))
                .add(file("dir/f", "f"))
                .add(file(".wh.dir", "")).add(file(".wh.late", "")).add(file("late/f", "f"))
                .add(file(".wh..wh.plnk/1.2", "")).add(file(".wh..wh.aufs", "")));

        assertThat(stat("etc/gone")).satisfies(stat -> {
            assertThat(stat.type()).isEqualTo(Openat.S_IFCHR);
            assertThat(stat.rdevMajor()).isZero();
            assertThat(stat.rdevMinor()).isZero();
        });
        for (String opaque : List.of("opaque", "dir", "late")) {
            assertThat(Xattr.get(raw(opaque), "trusted.overlay.opaque")).as(opaque)
                    .isEqualTo(new byte[]{'y'});
        }
        assertThat(layer.resolve("opaque")).isDirectoryContaining("glob:**before")
                .isDirectoryContaining("glob:**after");
        assertThat(layer.resolve("opaque/meaningless")).doesNotExist();
        assertThat(layer.resolve("kept")).hasContent("k");
        assertThat(layer.resolve("dir/f")).hasContent("f");
        assertThat(layer.resolve("late/f")).hasContent("f");
        assertThat(layer.resolve(".wh..wh.aufs")).doesNotExist();
    }

    @Test
    void anOpaqueRootIsReported() throws Exception {
        assertThat(unpack(new TarBuilder().add(file(".wh..wh..opq", "")).add(file("a", ""))).rootOpaque())
                .isTrue();
    }

    @Test
    void theLastOfTwoEntriesWins() throws Exception {
        unpack(new TarBuilder().add(file("f", "old")).add(file("f", "new").mode(0600))
                .add(directory("d").owner(1, 1))
                .add(file("d/inside", "x")).add(file("d", "now a file")).add(file("g", "x"))
                .add(directory("g"))
                .add(symlink("l", "d")).add(directory("l")).add(file("l/in", "x"))
                .add(directory("m").mode(0700))
                .add(file("m/stays", "x")).add(directory("m").mode(0711)).add(file("n", "first"))
                .add(hardLink("n2", "n")).add(file("n", "second")).add(file("s", "x"))
                .add(symlink("s", "f")));

        assertThat(layer.resolve("f")).hasContent("new");
        assertThat(stat("f").permissions()).isEqualTo(0600);
        assertThat(layer.resolve("d")).hasContent("now a file");
        assertThat(stat("d").uid()).isZero();
        assertThat(stat("g").isDirectory()).isTrue();
        // A file in its place would have hidden a lower directory's content; so must the directory after it.
        assertThat(Xattr.get(raw("g"), "trusted.overlay.opaque")).isNotNull();
        assertThat(Files.isSymbolicLink(layer.resolve("l"))).isFalse();
        assertThat(layer.resolve("l/in")).exists();
        assertThat(layer.resolve("m/stays")).exists();
        assertThat(stat("m").permissions()).isEqualTo(0711);
        assertThat(layer.resolve("n")).hasContent("second");
        assertThat(layer.resolve("n2")).hasContent("first");
        assertThat(Files.readSymbolicLink(layer.resolve("s"))).hasToString("f");
    }

    @Test
    void aDirectoryReplacedWhileInUseIsNotWrittenToAgain() throws Exception {
        unpack(new TarBuilder().add(directory("real")).add(symlink("a", "real")).add(file("a/one", "1"))
                .add(directory("a")).add(file("a/two", "2")));

        assertThat(layer.resolve("real/one")).exists();
        assertThat(layer.resolve("real/two")).doesNotExist();
        assertThat(layer.resolve("a/two")).exists();
    }

    @ParameterizedTest
    @ValueSource(strings = {"/etc", "../../../../../../../../etc", "..", "/", "/proc/self/root/etc"})
    void linksOutOfTheLayerLeadNowhereElse(String target) throws Exception {
        TarBuilder tar = new TarBuilder().add(symlink("link", target)).add(directory("etc"))
                .add(directory("proc/self/root/etc")).add(file("link/berth-escaped", "x").mode(0600))
                .add(directory("link/berth-dir")).add(file("link/.wh.berth-hidden", ""))
                .add(hardLink("passwd", "link/berth-escaped"));
        unpack(tar);

        for (String outside : List.of("/etc/berth-escaped", "/etc/berth-dir", "/etc/berth-hidden",
                "/berth-escaped")) {
            assertThat(Path.of(outside)).doesNotExist();
        }
        assertThat(folder).isDirectoryNotContaining("glob:**berth*");
        assertThat(layer.resolve("passwd")).hasContent("x");
    }

    @Test
    void aFileIsNeverWrittenThroughALink() throws Exception {
        Path outside = Files.writeString(folder.resolve("outside"), "safe");
        unpack(new TarBuilder().add(symlink("f", outside.toString())).add(file("f", "written"))
                .add(symlink("g", "/etc/berth-new")).add(file("g", "written")));

        assertThat(outside).hasContent("safe");
        assertThat(Path.of("/etc/berth-new")).doesNotExist();
        assertThat(layer.resolve("f")).hasContent("written");
    }

    @Test
    void absoluteNamesAreBelowTheLayer() throws Exception {
        unpack(new TarBuilder().add(file("/./abs//file", "x")).add(directory("./")));

        assertThat(layer.resolve("abs/file")).exists();
    }

    @Test
    void whatNoImageMayHaveIsRefusedByName() {
        Map<String, TarBuilder> cases = Map.ofEntries(
                Map.entry("|a/../../b: its name has \"..\"",
                        new TarBuilder().add(file("a/../../b", ""))),
                Map.entry("entry h: it is a hard link to a path that is not allowed",
                        new TarBuilder().add(hardLink("h", "../etc/passwd"))),
                Map.entry("entry h: it is a hard link to etc/passwd, which is not before it",
                        new TarBuilder().add(hardLink("h", "/etc/passwd"))),
                Map.entry("entry h: it is a hard link to itself", new TarBuilder().add(hardLink("h", "h"))),
                Map.entry("entry h: it is a hard link to d, which is a directory",
                        new TarBuilder().add(directory("d")).add(hardLink("h", "d"))),
                Map.entry("entry f/under: the archive asks for what cannot be",
                        new TarBuilder().add(file("f", "")).add(file("f/under", ""))),
                Map.entry("entry " + "n".repeat(256) + ": the archive asks for what cannot be",
                        new TarBuilder().add(file("n".repeat(256), ""))),
                Map.entry("entry .wh...: it is a whiteout of nothing",
                        new TarBuilder().add(file(".wh...", ""))),
                Map.entry("entry .wh.: it is a whiteout of nothing", new TarBuilder().add(file(".wh.", ""))),
                Map.entry("|multi: its type 'M'", new TarBuilder().add(TarBuilder.of('M', "multi"))),
                Map.entry("entry dev: its device number is",
                        new TarBuilder().add(TarBuilder.of('3', "dev").device(5000, 1))),
                Map.entry("|u: its uid is -1", new TarBuilder().add(file("u", "").owner(-1, 0))),
                Map.entry("|s: its size is negative", new TarBuilder().add(file("s", "").size(-5))),
                Map.entry("|p: its extended header has size=many",
                        new TarBuilder().add(file("p", "").pax("size", "many"))),
                Map.entry("|t: its mtime is 1e999999",
                        new TarBuilder().add(file("t", "").pax("mtime", "1e999999"))),
                Map.entry("|x: it has a zero byte",
                        new TarBuilder().add(file("x", "").pax("path", "z\0z"))),
                Map.entry("|l: it is a link to nothing", new TarBuilder().add(symlink("l", ""))),
                Map.entry("|sparse: its sparse map", new TarBuilder()
                        .add(file("sparse", "abc").pax("GNU.sparse.size", "10").pax("GNU.sparse.map",
                                "8,3"))));
        cases.forEach((message, tar) -> {
            Path target = folder.resolve("case" + message.hashCode());
            assertThatThrownBy(() -> unpack(Files.createDirectory(target), tar.build(), tar.build()))
                    .as(message).isInstanceOfSatisfying(ImageException.class, e -> {
                        assertThat(e.kind()).isEqualTo(Kind.CORRUPT);
                        assertThat(e).hasMessageContaining(message.replaceFirst(".*\\|", ""));
                    });
        });
    }

    @Test
    void damagedArchivesAreRefused() {
        byte[] good = new TarBuilder().add(file("name", "some content")).build();
        byte[] badSum = good.clone();
        badSum[0] = 'X';
        byte[] badNumber = good.clone();
        TarBuilder.text(badNumber, 124, 12, "00000zz0014");
        byte[] badNumberHeader = Arrays.copyOf(badNumber, 512);
        TarBuilder.checksum(badNumberHeader);
        System.arraycopy(badNumberHeader, 0, badNumber, 0, 512);
        Map<String, byte[]> cases = Map.of("does not match its checksum", badSum,
                "name: bad number in the header", badNumber,
                "ends in the middle of the content of a file", Arrays.copyOf(good, 600),
                "ends in the middle of a header", Arrays.copyOf(good, 1030),
                "something follows the archive's end",
                new TarBuilder().raw(good).add(file("again", "")).build(),
                "ends after an extended header", Arrays.copyOf(
                        new TarBuilder().add(file("x", "").pax("path", "y")).build(), 1024));
        cases.forEach((message, tar) -> assertThatThrownBy(
                () -> unpack(Files.createDirectory(folder.resolve("case" + message.hashCode())), tar, tar))
                .as(message)
                .isInstanceOfSatisfying(ImageException.class, e -> {
                    assertThat(e.kind()).isEqualTo(Kind.CORRUPT);
                    assertThat(e).hasMessageContaining(message);
                }));
    }

    @Test
    void sparseFilesOfEveryFormatHaveTheirHoles() throws Exception {
        byte[] map = Arrays.copyOf("2\n4096\n3\n1048576\n2\n".getBytes(StandardCharsets.US_ASCII), 512 + 5);
        System.arraycopy("abcde".getBytes(StandardCharsets.US_ASCII), 0, map, 512, 5);
        byte[] old = new TarBuilder()
                .add(TarBuilder.of('S', "old").data("abcde".getBytes(StandardCharsets.US_ASCII)))
                .unterminated();
        TarBuilder.number(old, 386, 12, 4096);
        TarBuilder.number(old, 398, 12, 3);
        TarBuilder.number(old, 410, 12, 1048576);
        TarBuilder.number(old, 422, 12, 2);
        TarBuilder.number(old, 483, 12, 2_000_000);
        TarBuilder.text(old, 257, 8, "ustar  \0");
        byte[] oldHeader = Arrays.copyOf(old, 512);
        TarBuilder.checksum(oldHeader);
        System.arraycopy(oldHeader, 0, old, 0, 512);
        unpack(new TarBuilder()
                .add(file("GNUSparseFile.0/v1", map).pax("GNU.sparse.major", "1").pax("GNU.sparse.minor", "0")
                        .pax("GNU.sparse.name", "v1").pax("GNU.sparse.realsize", "2000000"))
                .add(file("v01", "abcde").pax("GNU.sparse.size", "2000000").pax("GNU.sparse.map",
                        "4096,3,1048576,2"))
                .raw(old).add(file("after", "aligned")));

        byte[] expected = new byte[2_000_000];
        System.arraycopy("abc".getBytes(StandardCharsets.US_ASCII), 0, expected, 4096, 3);
        System.arraycopy("de".getBytes(StandardCharsets.US_ASCII), 0, expected, 1048576, 2);
        for (String name : List.of("v1", "v01", "old")) {
            assertThat(Files.readAllBytes(layer.resolve(name))).as(name).isEqualTo(expected);
            assertThat(stat(name).blocks() * 512).as(name).isLessThan(100_000);
        }
        assertThat(layer.resolve("after")).hasContent("aligned");
    }

    @Test
    void everyCompressionGivesTheSameLayer() throws Exception {
        byte[] content = new byte[1_000_000];
        new Random(2).nextBytes(content);
        byte[] tar = new TarBuilder().add(file("random", content)).add(file("text", "a".repeat(1_000_000)))
                .build();
        ByteArrayOutputStream members = new ByteArrayOutputStream();
        members.writeBytes(gzip(Arrays.copyOf(tar, 700_000)));
        members.writeBytes(gzip(new byte[0]));
        members.writeBytes(gzip(Arrays.copyOfRange(tar, 700_000, tar.length)));
        ByteArrayOutputStream frames = new ByteArrayOutputStream();
        frames.writeBytes(Zstd.compress(Arrays.copyOf(tar, 300_000)));
        frames.writeBytes(Zstd.compress(Arrays.copyOfRange(tar, 300_000, tar.length)));
        frames.writeBytes(new byte[]{0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'});
        ByteArrayOutputStream chunked = new ByteArrayOutputStream();
        chunked.writeBytes(new byte[]{0x5e, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'x', 'y'});
        chunked.writeBytes(frames.toByteArray());
        Map<String, byte[]> blobs = Map.of("plain", tar, "gzip", gzip(tar), "members", members.toByteArray(),
                "zstd",
                Zstd.compress(tar), "frames", frames.toByteArray(), "chunked", chunked.toByteArray());
        String diffId = Digest.of("sha256", tar).toString();

        for (Map.Entry<String, byte[]> blob : blobs.entrySet()) {
            Path target = Files.createDirectory(folder.resolve(blob.getKey()));
            UnpackedLayer unpacked = unpack(target, blob.getValue(), blob.getValue());

            assertThat(unpacked.diffId()).as(blob.getKey()).isEqualTo(diffId);
            assertThat(unpacked.tarBytes()).isEqualTo(tar.length);
            assertThat(Files.readAllBytes(target.resolve("random"))).isEqualTo(content);
        }
    }

    @Test
    void anEmptyLayerIsALayer() throws Exception {
        byte[] zeros = new byte[1024];
        for (byte[] blob : List.of(zeros, gzip(zeros), Zstd.compress(zeros), new byte[0],
                gzip(new byte[0]))) {
            Path target = Files.createTempDirectory(folder, "empty");
            UnpackedLayer unpacked = unpack(target, blob, blob);
            assertThat(unpacked.inodes()).isEqualTo(1);
            assertThat(target).isEmptyDirectory();
        }
    }

    @Test
    void aBlobThatIsNotWhatItsDescriptorSaysIsRefused() throws Exception {
        byte[] tar = new TarBuilder().add(file("a", "b".repeat(5000))).build();
        byte[] gz = gzip(tar);
        byte[] other = gzip(new TarBuilder().add(file("a", "c".repeat(5000))).build());
        byte[] flipped = gz.clone();
        flipped[gz.length - 6] ^= 1;

        assertRefused("other", other, gz, "has other content");
        assertRefused("short", Arrays.copyOf(gz, gz.length - 3), gz, "gzip data ends too early");
        assertRefused("cut", Arrays.copyOf(tar, tar.length - 512), tar, "is truncated");
        assertRefused("long", Arrays.copyOf(gz, gz.length + 1), gz, "is longer than");
        assertRefused("flipped", flipped, gz,
                "cannot be decompressed: gzip data does not match its checksum");
        byte[] trailing = Arrays.copyOf(gz, gz.length + 5);
        assertRefused("trailing", trailing, trailing, "trailing bytes after the gzip data");
        byte[] zstd = Zstd.compress(tar);
        byte[] half = Arrays.copyOf(zstd, zstd.length - 4);
        assertRefused("zstd", half, half, "cannot be decompressed");
        byte[] garbage = Arrays.copyOf(zstd, zstd.length + 9);
        garbage[zstd.length] = 'x';
        assertRefused("garbage", garbage, garbage, "cannot be decompressed");
    }

    @Test
    void anArchiveBeyondTheLimitsIsRefused() {
        byte[] tar = new TarBuilder().add(file("a", "")).add(file("b", "")).add(file("c", "")).build();

        assertThatThrownBy(
                () -> new LayerUnpacker(new LayerLimits(2, 1 << 20, 1000)).unpack(
                        new ByteArrayInputStream(tar),
                        descriptor(tar), layer))
                .hasMessageContaining("more than 2 entries");
        assertThatThrownBy(
                () -> new LayerUnpacker(new LayerLimits(9, 1024, 1000)).unpack(new ByteArrayInputStream(tar),
                        descriptor(tar), Files.createDirectory(folder.resolve("second"))))
                .hasMessageContaining("more than 1024 bytes");
        byte[] holes = new TarBuilder().add(file("h", "").pax("GNU.sparse.size", "9223372036854775807")
                .pax("GNU.sparse.map", "0,0")).build();
        assertThatThrownBy(() -> unpack(Files.createDirectory(folder.resolve("third")), holes, holes))
                .hasMessageContaining("entry h: it is a file of 9223372036854775807 bytes with its holes");
    }

    @Test
    void aBlobThatUnpacksToUnbelievablyMuchIsRefused() throws Exception {
        byte[] small = new byte[2_000_000];
        InputStream endless = new InputStream() {
            @Override
            public int read() {
                return 0;
            }

            @Override
            public int read(byte[] buffer, int offset, int length) {
                return length;
            }
        };
        BlobInput blob = new BlobInput(new ByteArrayInputStream(small));
        assertThat(blob.readNBytes(1_000_000)).hasSize(1_000_000);
        try (RatioGuard guard = new RatioGuard(endless, blob, LayerLimits.DEFAULT)) {
            byte[] buffer = new byte[1 << 20];
            for (long read = 0; read < 1_073_741_824L; read += buffer.length) {
                assertThat(guard.readNBytes(buffer, 0, buffer.length)).isEqualTo(buffer.length);
            }
            assertThatThrownBy(() -> guard.read(buffer, 0, buffer.length))
                    .isInstanceOf(ImageException.class)
                    .hasMessageContaining("its first 1000000 bytes unpack to more than 1000 times as many");
            // What comes later may make up for it.
            assertThat(blob.readNBytes(1_000_000)).hasSize(1_000_000);
            assertThat(guard.read(buffer, 0, buffer.length)).isEqualTo(buffer.length);
        }
    }

    @Test
    void anInterruptStopsIt() throws Exception {
        CountDownLatch reading = new CountDownLatch(1);
        CountDownLatch closed = new CountDownLatch(1);
        byte[] tar = new TarBuilder().add(file("a", "")).build();
        InputStream stuck = new InputStream() {
            @Override
            public int read() throws IOException {
                return read(new byte[1], 0, 1);
            }

            @Override
            public int read(byte[] buffer, int offset, int length) throws IOException {
                reading.countDown();
                try {
                    closed.await();
                } catch (InterruptedException e) {
                    throw new ImageException(Kind.CANCELLED, "interrupted", e);
                }
                return -1;
            }

            @Override
            public void close() {
                closed.countDown();
            }
        };
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread caller = Thread.ofPlatform().start(() -> {
            try {
                new LayerUnpacker(LayerLimits.DEFAULT).unpack(stuck, descriptor(tar), layer);
            } catch (ImageException e) {
                thrown.set(e);
            }
        });
        reading.await();
        caller.interrupt();
        caller.join();

        assertThat(thrown.get()).isInstanceOfSatisfying(ImageException.class,
                e -> assertThat(e.kind()).isEqualTo(Kind.CANCELLED));
        assertThat(closed.getCount()).isZero();
    }

    private void assertRefused(String name, byte[] blob, byte[] described, String message)
            throws IOException {
        Path target = Files.createDirectory(folder.resolve(name));
        assertThatThrownBy(() -> unpack(target, blob, described)).isInstanceOfSatisfying(ImageException.class,
                e -> {
                    assertThat(e.kind()).isEqualTo(Kind.CORRUPT);
                    assertThat(e).hasMessageContaining(message);
                });
    }

    private UnpackedLayer unpack(TarBuilder tar) throws ImageException {
        return unpack(tar.build());
    }

    private UnpackedLayer unpack(byte[] tar) throws ImageException {
        return unpack(layer, tar, tar);
    }

    private static UnpackedLayer unpack(Path target, byte[] blob, byte[] described) throws ImageException {
        UnpackedLayer unpacked = new LayerUnpacker(LayerLimits.DEFAULT)
                .unpack(new ByteArrayInputStream(blob), descriptor(described), target);
        assertRecorded(target, unpacked);
        return unpacked;
    }

    /** Whatever an archive had: its layer is as its record says, and its tar can be made again. */
    private static void assertRecorded(Path target, UnpackedLayer unpacked) throws ImageException {
        RecordFiles files = RecordFiles.beside(target);
        String digest = Objects.requireNonNull(unpacked.record()).digest();
        List<Difference> differences = new ArrayList<>();
        new LayerVerifier(target, files, digest, unpacked.diffId()).verify(differences::add);
        assertThat(differences).isEmpty();
        ByteArrayOutputStream tar = new ByteArrayOutputStream();
        try {
            new LayerTar(target, files, digest, unpacked.diffId()).writeTo(tar);
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        assertThat(Digest.of("sha256", tar.toByteArray())).hasToString(unpacked.diffId());
    }

    private static Descriptor descriptor(byte[] blob) {
        return new Descriptor("", Digest.of("sha256", blob).toString(), blob.length, List.of(), Map.of());
    }

    private static byte[] gzip(byte[] data) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(data);
        }
        return out.toByteArray();
    }

    private RawPath raw(String path) {
        return RawPath.of(layer.resolve(path));
    }

    private Stat stat(String path) throws IOException {
        try (Fd root = Openat.open(RawPath.of(layer), OpenFlags.O_RDONLY)) {
            Stat stat = Openat.stat(root, RawPath.of(path));
            assertThat(stat).as(path).isNotNull();
            return stat;
        }
    }
}
