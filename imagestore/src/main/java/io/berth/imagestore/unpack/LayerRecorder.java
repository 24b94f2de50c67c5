package io.berth.imagestore.unpack;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.record.RecordFiles;
import io.berth.imagestore.record.RecordItem;
import io.berth.imagestore.record.RecordItem.Extent;
import io.berth.imagestore.record.RecordWriter;
import io.berth.imagestore.unpack.TarEntry.Sparse;
import io.berth.linux.Fd;
import io.berth.linux.FileTree;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.linux.Stat;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Notes what an unpacked layer consists of, as it is written. Paths are real ones: no link leads through them. */
final class LayerRecorder implements AutoCloseable {
    /** No builder writes a path twice by intent; a record of millions of those would take memory to read. */
    private static final int MAX_DISPLACED = 100_000;
    /** Beyond these some file systems cannot tell a time, and keep another. */
    private static final long LAST_COMMON_SECOND = Integer.MAX_VALUE;

    private final @Nullable RecordWriter record;
    private final @Nullable Path displacedDirectory;
    private @Nullable Fd displaced;
    private int displacedCount;
    private RecordWriter.@Nullable Written written;

    private LayerRecorder(@Nullable RecordWriter record, @Nullable Path displacedDirectory) {
        this.record = record;
        this.displacedDirectory = displacedDirectory;
    }

    /** Notes nothing: for archives that are read once and deleted. */
    static LayerRecorder none() {
        return new LayerRecorder(null, null);
    }

    static LayerRecorder into(RecordFiles files) throws IOException {
        return new LayerRecorder(new RecordWriter(files.record()), files.displaced());
    }

    /** Bytes of the tar that are no content of a file. */
    void tar(byte[] array, int offset, int length) throws IOException {
        if (record != null) {
            record.tar(array, offset, length);
        }
    }

    void file(TarPath real, TarEntry entry, Map<String, byte[]> xattrs, Fd file, int crc32c)
            throws IOException {
        if (record == null) {
            return;
        }
        Sparse sparse = entry.sparse();
        List<Extent> extents;
        if (sparse != null) {
            extents = sparse.extents().stream()
                    .map(extent -> new Extent(extent.offset(), extent.length())).toList();
        } else {
            extents = entry.dataBytes() == 0 ? List.of() : List.of(new Extent(0, entry.dataBytes()));
        }
        Stat unusual = hasCommonTime(entry) ? null : Openat.stat(file);
        record.add(new RecordItem.File(real.text(), attributes(entry, xattrs, unusual),
                sparse == null ? entry.dataBytes() : sparse.fileSize(), extents, crc32c));
    }

    /** A symbolic link, device or FIFO, which is {@code name} in {@code parent}. */
    void node(TarPath real, TarEntry entry, Map<String, byte[]> xattrs, Fd parent, RawPath name)
            throws IOException {
        if (record == null) {
            return;
        }
        Stat unusual = hasCommonTime(entry) ? null : Openat.stat(parent, name);
        RecordItem.Attributes attributes = attributes(entry, xattrs, unusual);
        record.add(switch (entry.type()) {
            case SYMBOLIC_LINK -> new RecordItem.Symlink(real.text(), attributes,
                    new String(Objects.requireNonNull(entry.link()).toBytes(),
                            StandardCharsets.ISO_8859_1));
            case CHARACTER_DEVICE -> device(real, entry, attributes, Openat.S_IFCHR);
            case BLOCK_DEVICE -> device(real, entry, attributes, Openat.S_IFBLK);
            case FIFO -> device(real, entry, attributes, Openat.S_IFIFO);
            case FILE, DIRECTORY, HARD_LINK -> throw new IllegalArgumentException("no node: " + entry);
        });
    }

    void hardLink(TarPath real, TarPath target) throws IOException {
        add(new RecordItem.HardLink(real.text(), target.text()));
    }

    void directory(TarPath real, TarEntry entry, Map<String, byte[]> xattrs, boolean opaque, Fd directory)
            throws IOException {
        if (record != null) {
            Stat unusual = hasCommonTime(entry) ? null : Openat.stat(directory);
            record.add(new RecordItem.Directory(real.text(), attributes(entry, xattrs, unusual), opaque));
        }
    }

    void implied(TarPath real, boolean opaque) throws IOException {
        add(new RecordItem.Implied(real.text(), opaque));
    }

    void whiteout(TarPath real) throws IOException {
        add(new RecordItem.Whiteout(real.text()));
    }

    /** Takes {@code name} out of {@code parent}; where there is a record, its content is kept for the tar's sake. */
    void displace(Fd parent, RawPath name, TarPath real) throws IOException {
        if (record == null || displacedDirectory == null) {
            FileTree.delete(parent, name);
            return;
        }
        if (displacedCount == MAX_DISPLACED) {
            throw new ImageException(ImageException.Kind.CORRUPT,
                    "more than " + MAX_DISPLACED + " of its entries take the place of earlier ones");
        }
        if (displaced == null) {
            displaced = make(displacedDirectory);
        }
        Openat.rename(parent, name, displaced, RawPath.of(Integer.toString(displacedCount)),
                Openat.RENAME_NOREPLACE);
        record.add(new RecordItem.Displaced(real.text(), displacedCount));
        displacedCount++;
    }

    /** Ends the record. */
    void finish() throws IOException {
        if (record != null) {
            written = record.finish();
        }
    }

    /** The whole record; null where none is kept. */
    RecordWriter.@Nullable Written written() {
        return written;
    }

    @Override
    public void close() throws IOException {
        if (displaced != null) {
            displaced.close();
        }
        if (record != null) {
            record.close();
        }
    }

    private void add(RecordItem item) throws IOException {
        if (record != null) {
            record.add(item);
        }
    }

    private static RecordItem device(TarPath real, TarEntry entry, RecordItem.Attributes attributes,
            int type) {
        return new RecordItem.Node(real.text(), attributes, type, (int) entry.deviceMajor(),
                (int) entry.deviceMinor());
    }

    private static boolean hasCommonTime(TarEntry entry) {
        long seconds = entry.times().modifiedSeconds();
        return entry.times().modifiedNanos() == 0 && seconds >= 0 && seconds <= LAST_COMMON_SECOND;
    }

    /** @param unusual the file as it is, where its time may be another than the archive's; else null */
    private static RecordItem.Attributes attributes(TarEntry entry, Map<String, byte[]> xattrs,
            @Nullable Stat unusual) {
        return new RecordItem.Attributes(entry.mode(), entry.uid(), entry.gid(),
                unusual == null ? entry.times().modifiedSeconds() : unusual.modifiedSeconds(),
                unusual == null ? entry.times().modifiedNanos() : unusual.modifiedNanos(), xattrs);
    }

    private static Fd make(Path directory) throws LinuxException {
        Path parent = Objects.requireNonNull(directory.getParent(), "is in a directory");
        RawPath name = RawPath.of(directory.getFileName());
        try (Fd in = Openat.open(RawPath.of(parent), OpenFlags.O_PATH | OpenFlags.O_DIRECTORY)) {
            Openat.mkdir(in, name, 0700);
            return Openat.open(in, name, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY, 0);
        }
    }
}
