package io.berth.e2e.image;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;

/**
 * One layer of an image.
 *
 * @param blob as a registry has it
 * @param diffId digest of the tar
 */
public record Layer(Blob blob, Compression compression, String diffId) {
    /** Collects a tar, entry by entry in the order of the calls. Paths are relative, without a leading slash. */
    public static final class Builder {
        private static final int PERMISSIONS = 0x1ff;
        /** The same content is the same layer, whenever it is made. */
        private static final FileTime MODIFIED = FileTime.from(Instant.parse("2026-01-02T03:04:05Z"));

        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private final TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes, "UTF-8");

        private Builder() {
            tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
            tar.setBigNumberMode(TarArchiveOutputStream.BIGNUMBER_POSIX);
        }

        public Builder directory(String path, int mode) {
            var entry = new TarArchiveEntry(path + "/");
            entry.setMode(mode);
            return add(entry, new byte[0]);
        }

        public Builder file(String path, int mode, byte[] content) {
            return file(path, mode, 0, 0, content);
        }

        public Builder file(String path, int mode, String content) {
            return file(path, mode, content.getBytes(StandardCharsets.UTF_8));
        }

        public Builder file(String path, int mode, int uid, int gid, byte[] content) {
            var entry = new TarArchiveEntry(path, TarConstants.LF_NORMAL, true);
            entry.setMode(mode);
            entry.setIds(uid, gid);
            return add(entry, content);
        }

        /** A file with an extended attribute, {@code name} in full ({@code user.note}). */
        public Builder fileWithXattr(String path, String name, String value, String content) {
            var entry = new TarArchiveEntry(path, TarConstants.LF_NORMAL, true);
            entry.addPaxHeader("SCHILY.xattr." + name, value);
            return add(entry, content.getBytes(StandardCharsets.UTF_8));
        }

        public Builder symlink(String path, String target) {
            return link(path, target, TarConstants.LF_SYMLINK, 0777);
        }

        /** @param mode of the file itself: runtimes differ in whether they take it from here or from there */
        public Builder hardLink(String path, String target, int mode) {
            return link(path, target, TarConstants.LF_LINK, mode);
        }

        public Builder characterDevice(String path, int mode, int major, int minor) {
            var entry = new TarArchiveEntry(path, TarConstants.LF_CHR, true);
            entry.setMode(mode);
            entry.setDevMajor(major);
            entry.setDevMinor(minor);
            return add(entry, new byte[0]);
        }

        public Builder fifo(String path, int mode) {
            var entry = new TarArchiveEntry(path, TarConstants.LF_FIFO, true);
            entry.setMode(mode & PERMISSIONS);
            return add(entry, new byte[0]);
        }

        /** Takes {@code path} of a lower layer away. */
        public Builder whiteout(String path) {
            int slash = path.lastIndexOf('/') + 1;
            return file(path.substring(0, slash) + ".wh." + path.substring(slash), 0, "");
        }

        /** Hides all that lower layers have in {@code directory}. */
        public Builder opaque(String directory) {
            return file(directory + "/.wh..wh..opq", 0, "");
        }

        public Layer build(Compression compression) {
            try {
                tar.close();
                byte[] plain = bytes.toByteArray();
                return new Layer(new Blob(compression.compress(plain)), compression, Blob.sha256(plain));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private Builder link(String path, String target, byte type, int mode) {
            var entry = new TarArchiveEntry(path, type, true);
            entry.setLinkName(target);
            entry.setMode(mode);
            return add(entry, new byte[0]);
        }

        private Builder add(TarArchiveEntry entry, byte[] content) {
            try {
                entry.setSize(content.length);
                entry.setModTime(MODIFIED);
                tar.putArchiveEntry(entry);
                tar.write(content);
                tar.closeArchiveEntry();
                return this;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    public static Builder builder() {
        return new Builder();
    }
}
