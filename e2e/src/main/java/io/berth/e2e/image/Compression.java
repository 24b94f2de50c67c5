package io.berth.e2e.image;

import com.github.luben.zstd.Zstd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;

/** How a layer's tar is packed. */
public enum Compression {
    GZIP, ZSTD, NONE;

    private static final int ZSTD_LEVEL = 3;

    byte[] compress(byte[] tar) throws IOException {
        return switch (this) {
            case NONE -> tar;
            case ZSTD -> Zstd.compress(tar, ZSTD_LEVEL);
            case GZIP -> {
                var out = new ByteArrayOutputStream(tar.length / 2);
                try (var gzip = new GZIPOutputStream(out, 1 << 16) {
                    {
                        def.setLevel(Deflater.BEST_SPEED);
                    }
                }) {
                    gzip.write(tar);
                }
                yield out.toByteArray();
            }
        };
    }
}
