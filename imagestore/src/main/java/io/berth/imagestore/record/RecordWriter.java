package io.berth.imagestore.record;

import com.github.luben.zstd.RecyclingBufferPool;
import com.github.luben.zstd.ZstdOutputStreamNoFinalizer;
import io.berth.imagestore.record.RecordItem.Attributes;
import io.berth.imagestore.record.RecordItem.Extent;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;

/** Writes a layer's record while the layer is unpacked. */
public final class RecordWriter implements AutoCloseable {
    private static final int PENDING_BYTES = 64 << 10;
    /** A record has some twenty numbers and texts for each file; each alone would be a call into the compressor's library. */
    private static final int BUFFER_BYTES = 16 << 10;
    /** Headers are mostly zeros and repetition: the fastest level leaves about thirty bytes of each. */
    private static final int LEVEL = 1;

    private final MessageDigest hash = sha256();
    private final RecordOutput file;
    private final OutputStream out;
    private final byte[] pending = new byte[PENDING_BYTES];
    private final byte[] number = new byte[10];
    private int pendingBytes;
    private long items;

    /**
     * What is known of a record that is whole.
     *
     * @param digest of the file, {@code sha256:<hex>}
     * @param bytes of the file
     */
    public record Written(String digest, long bytes) {}

    /** Makes the file {@code path}, which must be absent. */
    public RecordWriter(Path path) throws IOException {
        file = new RecordOutput(path, hash);
        try {
            file.write(RecordFormat.MAGIC);
            out = new BufferedOutputStream(
                    new ZstdOutputStreamNoFinalizer(file, RecyclingBufferPool.INSTANCE, LEVEL), BUFFER_BYTES);
        } catch (IOException e) {
            file.close();
            throw e;
        }
    }

    /** Adds bytes of the tar that are no content of a file in the layer. */
    public void tar(byte[] bytes, int offset, int length) throws IOException {
        for (int done = 0; done < length;) {
            int count = Math.min(length - done, PENDING_BYTES - pendingBytes);
            System.arraycopy(bytes, offset + done, pending, pendingBytes, count);
            pendingBytes += count;
            done += count;
            if (pendingBytes == PENDING_BYTES) {
                flushTar();
            }
        }
    }

    /** Adds one item, after the bytes of the tar that came before it. */
    public void add(RecordItem item) throws IOException {
        switch (item) {
            case RecordItem.Tar tar -> tar(tar.bytes(), 0, tar.bytes().length);
            case RecordItem.File it -> {
                start(RecordFormat.FILE, it.path());
                attributes(it.attributes());
                unsigned(it.size());
                unsigned(it.extents().size());
                for (Extent extent : it.extents()) {
                    unsigned(extent.offset());
                    unsigned(extent.length());
                }
                unsigned(Integer.toUnsignedLong(it.crc32c()));
            }
            case RecordItem.Symlink it -> {
                start(RecordFormat.SYMLINK, it.path());
                attributes(it.attributes());
                text(it.target());
            }
            case RecordItem.Node it -> {
                start(RecordFormat.NODE, it.path());
                attributes(it.attributes());
                unsigned(it.type());
                unsigned(it.major());
                unsigned(it.minor());
            }
            case RecordItem.HardLink it -> {
                start(RecordFormat.HARD_LINK, it.path());
                text(it.target());
            }
            case RecordItem.Displaced it -> {
                start(RecordFormat.DISPLACED, it.path());
                unsigned(it.index());
            }
            case RecordItem.Directory it -> {
                start(RecordFormat.DIRECTORY, it.path());
                attributes(it.attributes());
                unsigned(it.opaque() ? 1 : 0);
            }
            case RecordItem.Implied it -> {
                start(RecordFormat.IMPLIED, it.path());
                unsigned(it.opaque() ? 1 : 0);
            }
            case RecordItem.Whiteout it -> start(RecordFormat.WHITEOUT, it.path());
        }
    }

    /** Ends the record; it is not synced. */
    public Written finish() throws IOException {
        flushTar();
        out.write(RecordFormat.END);
        unsigned(items);
        out.close();
        return new Written("sha256:" + HexFormat.of().formatHex(hash.digest()), file.written());
    }

    @Override
    public void close() throws IOException {
        file.close();
    }

    private void flushTar() throws IOException {
        if (pendingBytes > 0) {
            int count = pendingBytes;
            pendingBytes = 0;
            out.write(RecordFormat.TAR);
            items++;
            unsigned(count);
            out.write(pending, 0, count);
        }
    }

    private void start(int tag, String path) throws IOException {
        flushTar();
        out.write(tag);
        items++;
        text(path);
    }

    private void attributes(Attributes attributes) throws IOException {
        unsigned(attributes.mode());
        unsigned(Integer.toUnsignedLong(attributes.uid()));
        unsigned(Integer.toUnsignedLong(attributes.gid()));
        signed(attributes.modifiedSeconds());
        unsigned(attributes.modifiedNanos());
        unsigned(attributes.xattrs().size());
        for (Map.Entry<String, byte[]> xattr : attributes.xattrs().entrySet()) {
            bytes(xattr.getKey().getBytes(StandardCharsets.UTF_8));
            bytes(xattr.getValue());
        }
    }

    private void text(String text) throws IOException {
        bytes(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    private void bytes(byte[] bytes) throws IOException {
        unsigned(bytes.length);
        out.write(bytes, 0, bytes.length);
    }

    private void signed(long value) throws IOException {
        unsigned(value << 1 ^ value >> 63);
    }

    private void unsigned(long value) throws IOException {
        int length = 0;
        long rest = value;
        while ((rest & ~0x7fL) != 0) {
            number[length++] = (byte) (rest | 0x80);
            rest >>>= 7;
        }
        number[length++] = (byte) rest;
        out.write(number, 0, length);
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }
}
