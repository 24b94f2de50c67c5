package io.berth.imagestore.unpack;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.unpack.TarEntry.Sparse;
import io.berth.imagestore.unpack.TarEntry.Sparse.Extent;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.FileIo;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.linux.Stat;
import io.berth.linux.Xattr;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.zip.CRC32C;

/**
 * Writes the entries of a layer into its directory, whiteouts (OCI image-spec, "Layer Filesystem Changeset") in the form
 * that overlayfs reads. As the last of two entries with one path wins in a layer, so does it here.
 */
final class LayerWriter implements AutoCloseable {
    private static final String WHITEOUT = ".wh.";
    private static final String WHITEOUT_META = ".wh..wh.";
    private static final String WHITEOUT_OPAQUE = ".wh..wh..opq";
    private static final int STAGE_BYTES = 256 << 10;
    private static final long BLOCK_BYTES = 4096;
    /** A file that is larger starts on its way to disk before it is whole. */
    private static final long WRITEBACK_BYTES = 8 << 20;
    private static final int NEW_FILE = OpenFlags.O_WRONLY | OpenFlags.O_CREAT | OpenFlags.O_EXCL
            | OpenFlags.O_NOFOLLOW;
    private static final int UMASK = umask();

    private final TarReader tar;
    private final LayerRecorder recorder;
    private final Directories directories;
    private final CRC32C checksum = new CRC32C();
    private final ByteBuffer stage = ByteBuffer.allocateDirect(STAGE_BYTES);
    private final long stageAddress = FileIo.address(stage);
    private final Writeback writeback = new Writeback();
    private long files;
    private long bytes;

    /** @param root the layer's empty directory, which the caller closes */
    LayerWriter(TarReader tar, Fd root, LayerRecorder recorder, KeptBytes kept) {
        this.tar = tar;
        this.recorder = recorder;
        this.directories = new Directories(root, recorder, kept);
    }

    /** Writes {@code entry}, whose content the archive has next. */
    void write(TarEntry entry) throws IOException {
        String name = entry.path().name();
        if (name.startsWith(WHITEOUT)) {
            whiteout(entry.path(), name);
            return;
        }
        switch (entry.type()) {
            case DIRECTORY -> directory(entry);
            case FILE -> file(entry);
            case SYMBOLIC_LINK -> symbolicLink(entry);
            case HARD_LINK -> hardLink(entry);
            case CHARACTER_DEVICE -> node(entry, Openat.S_IFCHR);
            case BLOCK_DEVICE -> node(entry, Openat.S_IFBLK);
            case FIFO -> node(entry, Openat.S_IFIFO);
        }
    }

    /** Gives the directories their attributes. */
    void finish() throws IOException {
        directories.finish();
    }

    /** What the files take on disk, rounded up to blocks as the file system does. */
    long diskBytes() {
        return bytes + directories.made() * BLOCK_BYTES;
    }

    long inodes() {
        return files + directories.made();
    }

    Directories directories() {
        return directories;
    }

    @Override
    public void close() {
        writeback.close();
        directories.close();
    }

    private void whiteout(TarPath path, String name) throws IOException {
        TarPath parent = path.parent();
        if (name.equals(WHITEOUT_OPAQUE)) {
            directories.makeOpaque(parent);
            return;
        }
        if (name.startsWith(WHITEOUT_META)) {
            // Bookkeeping of aufs, which wrote the first layers that there were.
            return;
        }
        String hidden = name.substring(WHITEOUT.length());
        if (hidden.isEmpty() || hidden.equals(".") || hidden.equals("..")) {
            throw corrupt("it is a whiteout of nothing that could be hidden");
        }
        TarPath target = parent.resolve(hidden);
        Fd directory = directories.open(parent);
        try {
            Openat.mknod(directory, TarPath.raw(hidden), Openat.S_IFCHR, 0);
            files++;
            directories.addWhiteout(target);
        } catch (LinuxException e) {
            if (e.errno() != Errno.EEXIST) {
                throw e;
            }
            // A whiteout hides what lower layers have, never what this one has; only a directory would let it shine through.
            Stat stat = Openat.stat(directory, TarPath.raw(hidden));
            if (stat != null && stat.isDirectory()) {
                directories.makeOpaque(target);
            }
        }
    }

    private void directory(TarEntry entry) throws IOException {
        TarPath path = entry.path();
        if (!path.isRoot()) {
            Fd parent = directories.open(path.parent());
            RawPath name = TarPath.raw(path.name());
            try {
                directories.make(parent, path);
            } catch (LinuxException e) {
                Stat stat = e.errno() == Errno.EEXIST ? Openat.stat(parent, name) : null;
                if (stat == null) {
                    throw e;
                }
                if (!stat.isDirectory()) {
                    remove(path);
                    directories.make(directories.open(path.parent()), path);
                    directories.makeOpaque(path);
                }
            }
        }
        directories.describe(entry);
    }

    private void file(TarEntry entry) throws IOException {
        Fd file = create(entry);
        try {
            files++;
            checksum.reset();
            Sparse sparse = entry.sparse();
            if (sparse == null) {
                content(entry, file);
            } else {
                sparseContent(entry, sparse, file);
            }
            // Ownership first: changing it clears set-user-ID bits and capabilities.
            if (entry.uid() != 0 || entry.gid() != 0) {
                FileIo.chown(file, entry.uid(), entry.gid(), entry.path());
            }
            if ((entry.mode() & (07000 | UMASK)) != 0) {
                FileIo.chmod(file, entry.mode(), entry.path());
            }
            Map<String, byte[]> xattrs = Attributes.set(entry,
                    (name, value) -> Xattr.set(file, name, value));
            FileIo.setTimes(file, entry.times(), entry.path());
            recorder.file(directories.real(entry.path()), entry, xattrs, file, (int) checksum.getValue());
        } catch (IOException | RuntimeException | Error e) {
            file.close();
            throw e;
        }
        writeback.done(file, entry.dataBytes());
    }

    private Fd create(TarEntry entry) throws IOException {
        TarPath path = entry.path();
        RawPath name = TarPath.raw(path.name());
        try {
            return Openat.open(directories.open(path.parent()), name, NEW_FILE, entry.mode() & 0777);
        } catch (LinuxException e) {
            if (e.errno() != Errno.EEXIST) {
                throw e;
            }
            remove(path);
            return Openat.open(directories.open(path.parent()), name, NEW_FILE, entry.mode() & 0777);
        }
    }

    private void content(TarEntry entry, Fd file) throws IOException {
        long offset = 0;
        for (int count; (count = stage(entry, STAGE_BYTES)) > 0; offset += count) {
            FileIo.write(file, stageAddress, count, entry.path());
            if (offset / WRITEBACK_BYTES != (offset + count) / WRITEBACK_BYTES) {
                FileIo.startWriteback(file, 0, 0);
            }
        }
        bytes += blocks(offset);
    }

    private void sparseContent(TarEntry entry, Sparse sparse, Fd file) throws IOException {
        for (Extent extent : sparse.extents()) {
            long done = 0;
            while (done < extent.length()) {
                int count = stage(entry, extent.length() - done);
                FileIo.pwrite(file, stageAddress, count, extent.offset() + done, entry.path());
                done += count;
            }
            bytes += blocks(extent.length());
        }
        FileIo.truncate(file, sparse.fileSize(), entry.path());
    }

    /** Copies content to where a system call can read it. */
    private int stage(TarEntry entry, long max) throws ImageException {
        int count = tar.content(entry, Math.min(max, STAGE_BYTES));
        if (count > 0) {
            stage.put(0, tar.array(), tar.position(), count);
            checksum.update(tar.array(), tar.position(), count);
            tar.advance(count);
        }
        return count;
    }

    private void symbolicLink(TarEntry entry) throws IOException {
        RawPath target = Objects.requireNonNull(entry.link());
        replacing(entry.path(), (parent, name) -> Openat.symlink(target, parent, name));
        files++;
        describe(entry);
    }

    private void node(TarEntry entry, int type) throws IOException {
        long device;
        try {
            device = Openat.device(entry.deviceMajor(), entry.deviceMinor());
        } catch (IllegalArgumentException e) {
            throw new ImageException(ImageException.Kind.CORRUPT, "its device number is "
                    + entry.deviceMajor() + ":" + entry.deviceMinor() + ", which no kernel has", e);
        }
        replacing(entry.path(), (parent, name) -> Openat.mknod(parent, name, type | entry.mode(), device));
        files++;
        describe(entry);
    }

    private void hardLink(TarEntry entry) throws IOException {
        TarPath target;
        try {
            target = TarPath.of(Objects.requireNonNull(entry.link()).toBytes());
        } catch (IllegalArgumentException e) {
            throw new ImageException(ImageException.Kind.CORRUPT,
                    "it is a hard link to a path that is not allowed: "
                            + e.getMessage(),
                    e);
        }
        if (target.equals(entry.path())) {
            throw corrupt("it is a hard link to itself");
        }
        if (entry.path().isRoot() || target.isBelow(entry.path())) {
            throw corrupt("it is a hard link to what it would replace, " + target);
        }
        try {
            replacing(entry.path(), (parent, name) -> {
                try (Directories.Opened source = directories.reopen(target.parent())) {
                    Openat.link(source.fd(), TarPath.raw(target.name()), parent, name);
                }
            });
            try (Directories.Opened source = directories.reopen(target.parent())) {
                recorder.hardLink(directories.real(entry.path()), source.real().resolve(target.name()));
            }
        } catch (LinuxException e) {
            throw switch (e.errno()) {
                case ENOENT, ENOTDIR -> new ImageException(ImageException.Kind.CORRUPT,
                        "it is a hard link to " + target + ", which is not before it in this layer", e);
                case EPERM -> new ImageException(ImageException.Kind.CORRUPT,
                        "it is a hard link to " + target + ", which is a directory", e);
                default -> e;
            };
        }
    }

    /** Something that makes a name in a directory. */
    @FunctionalInterface
    private interface Maker {
        void make(Fd parent, RawPath name) throws IOException;
    }

    private void replacing(TarPath path, Maker maker) throws IOException {
        RawPath name = TarPath.raw(path.name());
        try {
            maker.make(directories.open(path.parent()), name);
        } catch (LinuxException e) {
            if (e.errno() != Errno.EEXIST) {
                throw e;
            }
            remove(path);
            maker.make(directories.open(path.parent()), name);
        }
    }

    /** What is taken away here stays beside the layer's record, and counts there. */
    private void remove(TarPath path) throws IOException {
        Stat removed = directories.remove(path);
        if (Directories.isWhiteout(removed)) {
            files--;
        }
    }

    /** Owner, mode, attributes and times of what is neither file nor directory. */
    private void describe(TarEntry entry) throws IOException {
        Fd parent = directories.open(entry.path().parent());
        RawPath name = TarPath.raw(entry.path().name());
        if (entry.uid() != 0 || entry.gid() != 0) {
            Openat.chown(parent, name, entry.uid(), entry.gid());
        }
        if (entry.type() != TarEntry.Type.SYMBOLIC_LINK) {
            Openat.chmod(parent, name, entry.mode());
        }
        Map<String, byte[]> xattrs = Attributes.set(entry,
                (attribute, value) -> Xattr.set(parent, name, attribute, value));
        Openat.setTimes(parent, name, entry.times());
        recorder.node(directories.real(entry.path()), entry, xattrs, parent, name);
    }

    private static long blocks(long length) {
        return (length + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    }

    private static ImageException corrupt(String what) {
        return new ImageException(ImageException.Kind.CORRUPT, what);
    }

    /** The bits that this process' files lose when they are made. It is set once, before Java starts. */
    private static int umask() {
        try {
            return Files.readAllLines(Path.of("/proc/self/status"), StandardCharsets.ISO_8859_1).stream()
                    .filter(line -> line.startsWith("Umask:"))
                    .mapToInt(line -> Integer.parseInt(line.substring("Umask:".length()).strip(), 8))
                    .findFirst().orElse(0777);
        } catch (IOException e) {
            // Then every file's mode is set by a call of its own.
            return 0777;
        }
    }
}
