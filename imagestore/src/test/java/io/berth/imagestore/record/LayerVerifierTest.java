package io.berth.imagestore.record;

import static io.berth.imagestore.unpack.TarBuilder.directory;
import static io.berth.imagestore.unpack.TarBuilder.file;
import static io.berth.imagestore.unpack.TarBuilder.hardLink;
import static io.berth.imagestore.unpack.TarBuilder.symlink;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.LayerLimits;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.registry.Digest;
import io.berth.imagestore.unpack.LayerUnpacker;
import io.berth.imagestore.unpack.TarBuilder;
import io.berth.imagestore.unpack.UnpackedLayer;
import io.berth.linux.RawPath;
import io.berth.linux.Xattr;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LayerVerifierTest {
    @TempDir
    private Path folder;

    private Path layer;
    private UnpackedLayer unpacked;

    @BeforeEach
    void unpack() throws IOException {
        layer = Files.createDirectory(folder.resolve("l"));
        byte[] tar = new TarBuilder().add(directory("etc").mode(0750).owner(7, 8))
                .add(file("etc/passwd", "root:x:0:0\n")).add(file("bin/tool", "#!/bin/sh\n").mode(04755))
                .add(hardLink("bin/other", "bin/tool")).add(symlink("sh", "bin/tool"))
                .add(TarBuilder.of('3', "null").device(1, 3)).add(file("var/.wh.log", ""))
                .add(file("run/.wh..wh..opq", ""))
                .add(file("twice", "first")).add(file("twice", "second"))
                .add(file("cap", "x").pax("SCHILY.xattr.user.note", "remember"))
                .build();
        unpacked = new LayerUnpacker(LayerLimits.DEFAULT).unpack(new ByteArrayInputStream(tar),
                new Descriptor("", Digest.of("sha256", tar).toString(), tar.length, List.of(), Map.of()),
                layer);
        assertThat(differences()).isEmpty();
    }

    @Test
    void everyKindOfChangeIsToldByPath() throws Exception {
        rewrite("etc/passwd", "root::0:0:\n");
        Files.setPosixFilePermissions(layer.resolve("bin/tool"),
                PosixFilePermissions.fromString("rwxrwxrwx"));
        Files.delete(layer.resolve("bin/other"));
        Files.writeString(layer.resolve("bin/other"), "#!/bin/sh\n");
        Files.delete(layer.resolve("sh"));
        Files.createSymbolicLink(layer.resolve("sh"), Path.of("/bin/evil"));
        Files.delete(layer.resolve("null"));
        Files.writeString(layer.resolve("null"), "");
        Files.delete(layer.resolve("var/log"));
        Files.setAttribute(layer.resolve("etc"), "unix:uid", 9);
        Xattr.set(RawPath.of(layer.resolve("cap")), "user.note", bytes("forget"));
        Xattr.set(RawPath.of(layer.resolve("cap")), "user.more", bytes("x"));
        Xattr.set(RawPath.of(layer.resolve("run")), "trusted.overlay.opaque", bytes("n"));
        Files.createDirectory(layer.resolve("new"));
        Files.writeString(layer.resolve("new/file"), "");

        assertThat(differences()).contains("/etc/passwd: its content was changed",
                "/bin/tool: mode is 0777, recorded 4755",
                "/bin/other: is a file of its own, recorded as a hard link to bin/tool",
                "/null: is a file, recorded as a character device", "/var/log: missing",
                "/etc: owner is 9:8, recorded 7:8", "/cap: the attribute user.note has another value",
                "/cap: has the attribute user.more, which is not recorded",
                "/run: the attribute trusted.overlay.opaque has another value",
                "/sh: is a link to /bin/evil, recorded bin/tool",
                "/new: is not recorded; something has put it here");
    }

    @Test
    void sizesAndTimesAreCompared() throws Exception {
        Files.writeString(layer.resolve("etc/passwd"), "more", StandardOpenOption.APPEND);
        Files.setLastModifiedTime(layer.resolve("bin/tool"), FileTime.fromMillis(1_600_000_000_250L));

        assertThat(differences()).contains("/etc/passwd: has 15 bytes, recorded 11",
                "/bin/tool: modified at 1600000000.250000000, recorded 1700000000");
    }

    /** A forger can give a file the CRC-32C that it had, but not the layer the SHA-256 of its tar. */
    @Test
    void contentWithAForgedChecksumIsFound() throws Exception {
        byte[] before = Files.readAllBytes(layer.resolve("etc/passwd"));
        byte[] forged = before.clone();
        forged[0] = 'w';
        forge(forged, 4, crc(before));
        assertThat(crc(forged)).isEqualTo(crc(before));
        FileTime time = Files.getLastModifiedTime(layer.resolve("etc/passwd"));
        Files.write(layer.resolve("etc/passwd"), forged);
        Files.setLastModifiedTime(layer.resolve("etc/passwd"), time);

        assertThat(differences()).singleElement().asString()
                .contains("the layer's diff id is " + unpacked.diffId()).contains("checksum stayed");
    }

    @Test
    void aDamagedOrMissingRecordIsSaid() throws Exception {
        Path record = RecordFiles.beside(layer).record();
        byte[] bytes = Files.readAllBytes(record);
        bytes[bytes.length / 2] ^= 1;
        Files.write(record, bytes);
        assertThat(differences()).singleElement().asString().contains("is damaged")
                .contains("the database says");
        Files.delete(record);
        assertThat(differences()).singleElement().asString().contains("is not there");
    }

    @Test
    void aChangedLayerIsNotExported() throws Exception {
        rewrite("etc/passwd", "root::0:0:\n");

        assertThatThrownBy(() -> new LayerTar(layer, RecordFiles.beside(layer), record(), unpacked.diffId())
                .writeTo(OutputStream.nullOutputStream())).isInstanceOf(ImageException.class)
                .hasMessageContaining("/etc/passwd").hasMessageContaining("--repair");
    }

    /** With the size and the time that it had. */
    private void rewrite(String path, String content) throws IOException {
        FileTime time = Files.getLastModifiedTime(layer.resolve(path));
        Files.writeString(layer.resolve(path), content);
        Files.setLastModifiedTime(layer.resolve(path), time);
    }

    private List<String> differences() throws ImageException {
        List<String> lines = new ArrayList<>();
        LayerVerifier.Verified verified = new LayerVerifier(layer, RecordFiles.beside(layer), record(),
                unpacked.diffId()).verify(difference -> lines.add(difference.toString()));
        assertThat(verified.differences()).isEqualTo(lines.size());
        return lines;
    }

    private String record() {
        return Objects.requireNonNull(unpacked.record()).digest();
    }

    /** Sets four bytes at {@code at} so that the whole has the checksum {@code wanted}; CRCs are linear over GF(2). */
    private static void forge(byte[] bytes, int at, int wanted) {
        ByteBuffer.wrap(bytes).putInt(at, 0);
        int base = crc(bytes);
        int[] rows = new int[32];
        for (int bit = 0; bit < 32; bit++) {
            ByteBuffer.wrap(bytes).putInt(at, 1 << bit);
            rows[bit] = crc(bytes) ^ base;
        }
        int[] combination = new int[32];
        int[] pivots = new int[32];
        int rest = wanted ^ base;
        int solution = 0;
        for (int bit = 0; bit < 32; bit++) {
            int row = rows[bit];
            int made = 1 << bit;
            for (int top = 31; top >= 0; top--) {
                if ((row >>> top & 1) == 1 && pivots[top] != 0) {
                    row ^= pivots[top];
                    made ^= combination[top];
                } else if ((row >>> top & 1) == 1) {
                    pivots[top] = row;
                    combination[top] = made;
                    break;
                }
            }
        }
        for (int top = 31; top >= 0; top--) {
            if ((rest >>> top & 1) == 1) {
                rest ^= pivots[top];
                solution ^= combination[top];
            }
        }
        ByteBuffer.wrap(bytes).putInt(at, solution);
    }

    private static int crc(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return (int) crc.getValue();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
