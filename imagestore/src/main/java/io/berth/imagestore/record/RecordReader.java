package io.berth.imagestore.record;

import com.github.luben.zstd.RecyclingBufferPool;
import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.record.RecordItem.Attributes;
import io.berth.imagestore.record.RecordItem.Extent;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads a layer's record, item by item. */
public final class RecordReader implements AutoCloseable {
    private static final int BUFFER_BYTES = 64 << 10;

    private final Path path;
    private final DataInputStream in;
    private long items;
    private boolean ended;

    /**
     * Opens the record at {@code path}.
     *
     * @param digest what the file's SHA-256 must be, {@code sha256:<hex>}; the whole file is read for this first
     * @throws ImageException NOT_FOUND where it is absent, CORRUPT where it is another, INTERNAL
     */
    public RecordReader(Path path, String digest) throws ImageException {
        this.path = path;
        try {
            String found = digestOf(path);
            if (!found.equals(digest)) {
                throw corrupt("its digest is " + found + ", the database says " + digest);
            }
            InputStream file = new BufferedInputStream(Files.newInputStream(path), BUFFER_BYTES);
            byte[] magic = file.readNBytes(RecordFormat.MAGIC.length);
            if (!Arrays.equals(magic, RecordFormat.MAGIC)) {
                file.close();
                throw corrupt("it is of a format that this Berth does not know");
            }
            in = new DataInputStream(new BufferedInputStream(
                    new ZstdInputStreamNoFinalizer(file, RecyclingBufferPool.INSTANCE), BUFFER_BYTES));
        } catch (NoSuchFileException e) {
            throw new ImageException(Kind.NOT_FOUND, "the record " + path + " is not there", e);
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw new ImageException(Kind.INTERNAL, "cannot read the record " + path + ": " + e, e);
        }
    }

    /** The next item; null after the last. */
    public @Nullable RecordItem next() throws ImageException {
        if (ended) {
            return null;
        }
        try {
            int tag = in.readUnsignedByte();
            if (tag == RecordFormat.END) {
                ended = true;
                if (unsigned() != items) {
                    throw corrupt("it does not have all of its items");
                }
                return null;
            }
            items++;
            return item(tag);
        } catch (EOFException e) {
            throw corrupt("it ends in the middle of an item");
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw new ImageException(Kind.CORRUPT,
                    "the record " + path + " is damaged: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        try {
            in.close();
        } catch (IOException e) {
            // Nothing was written.
        }
    }

    private RecordItem item(int tag) throws IOException {
        return switch (tag) {
            case RecordFormat.TAR -> new RecordItem.Tar(bytes());
            case RecordFormat.FILE -> new RecordItem.File(text(), attributes(), unsigned(), extents(),
                    (int) unsigned());
            case RecordFormat.SYMLINK -> new RecordItem.Symlink(text(), attributes(), text());
            case RecordFormat.NODE -> new RecordItem.Node(text(), attributes(), (int) unsigned(),
                    (int) unsigned(), (int) unsigned());
            case RecordFormat.HARD_LINK -> new RecordItem.HardLink(text(), text());
            case RecordFormat.DISPLACED -> new RecordItem.Displaced(text(), (int) unsigned());
            case RecordFormat.DIRECTORY -> new RecordItem.Directory(text(), attributes(), unsigned() == 1);
            case RecordFormat.IMPLIED -> new RecordItem.Implied(text(), unsigned() == 1);
            case RecordFormat.WHITEOUT -> new RecordItem.Whiteout(text());
            default -> throw corrupt("it has an item of kind " + tag);
        };
    }

    private List<Extent> extents() throws IOException {
        long count = unsigned();
        List<Extent> extents = new ArrayList<>((int) Math.min(count, 1024));
        for (long i = 0; i < count; i++) {
            extents.add(new Extent(unsigned(), unsigned()));
        }
        return extents;
    }

    private Attributes attributes() throws IOException {
        int mode = (int) unsigned();
        int uid = (int) unsigned();
        int gid = (int) unsigned();
        long seconds = signed();
        int nanos = (int) unsigned();
        long count = unsigned();
        Map<String, byte[]> xattrs = count == 0 ? Map.of() : new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            xattrs.put(new String(bytes(), StandardCharsets.UTF_8), bytes());
        }
        return new Attributes(mode, uid, gid, seconds, nanos, xattrs);
    }

    private String text() throws IOException {
        return new String(bytes(), StandardCharsets.ISO_8859_1);
    }

    private byte[] bytes() throws IOException {
        long length = unsigned();
        if (length < 0 || length > RecordFormat.MAX_FIELD_BYTES) {
            throw corrupt("it has a field of " + length + " bytes");
        }
        byte[] bytes = new byte[(int) length];
        in.readFully(bytes);
        return bytes;
    }

    private long signed() throws IOException {
        long value = unsigned();
        return value >>> 1 ^ -(value & 1);
    }

    private long unsigned() throws IOException {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            int b = in.readUnsignedByte();
            value |= (long) (b & 0x7f) << shift;
            if ((b & 0x80) == 0) {
                return value;
            }
        }
        throw corrupt("it has a number of more than 64 bits");
    }

    private ImageException corrupt(String why) {
        return new ImageException(Kind.CORRUPT, "the record " + path + " is damaged: " + why);
    }

    private static String digestOf(Path path) throws IOException {
        MessageDigest hash = RecordWriter.sha256();
        try (InputStream file = Files.newInputStream(path)) {
            byte[] buffer = new byte[BUFFER_BYTES];
            for (int count; (count = file.read(buffer)) > 0;) {
                hash.update(buffer, 0, count);
            }
        }
        return "sha256:" + HexFormat.of().formatHex(hash.digest());
    }
}
