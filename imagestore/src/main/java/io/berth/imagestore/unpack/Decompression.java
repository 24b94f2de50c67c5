package io.berth.imagestore.unpack;

import com.github.luben.zstd.RecyclingBufferPool;
import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import java.io.IOException;
import java.io.InputStream;
import java.io.PushbackInputStream;

/** How a layer is compressed, told by its first bytes as other runtimes do: media types are often wrong. */
enum Decompression {
    NONE, GZIP, ZSTD;

    private static final int MAGIC_BYTES = 4;
    /** Larger windows would let an archive take more memory than a layer may: 128 MiB, as the zstd tool. */
    private static final int ZSTD_WINDOW_LOG_MAX = 27;

    /** The uncompressed content of {@code blob}. Reading it to its end reads the blob to its end. */
    static InputStream open(InputStream blob) throws IOException {
        byte[] magic = blob.readNBytes(MAGIC_BYTES);
        PushbackInputStream whole = new PushbackInputStream(blob, MAGIC_BYTES);
        whole.unread(magic);
        return switch (of(magic)) {
            case NONE -> whole;
            case GZIP -> new Gunzip(whole);
            case ZSTD -> {
                ZstdInputStreamNoFinalizer zstd = new ZstdInputStreamNoFinalizer(whole,
                        RecyclingBufferPool.INSTANCE);
                zstd.setLongMax(ZSTD_WINDOW_LOG_MAX);
                yield zstd;
            }
        };
    }

    private static Decompression of(byte[] magic) {
        if (magic.length < MAGIC_BYTES) {
            return NONE;
        }
        int first = (magic[0] & 0xff) << 24 | (magic[1] & 0xff) << 16 | (magic[2] & 0xff) << 8
                | (magic[3] & 0xff);
        if (first >>> 16 == 0x1f8b) {
            return GZIP;
        }
        // A frame, or one of the sixteen skippable frames that chunked layers may start with.
        boolean zstd = first == 0x28b52ffd || (first & 0xf0ffffff) == 0x502a4d18;
        return zstd ? ZSTD : NONE;
    }
}
