package io.berth.imagestore.unpack;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.LayerLimits;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;

/** The uncompressed bytes of a blob, as long as they are not unbelievably many for it. */
final class RatioGuard extends FilterInputStream {
    private final BlobInput blob;
    private final long ratio;
    private long bytes;

    /** @param uncompressed what is read from {@code blob} */
    RatioGuard(InputStream uncompressed, BlobInput blob, LayerLimits limits) {
        super(uncompressed);
        this.blob = blob;
        this.ratio = limits.ratio();
    }

    @Override
    public int read() throws IOException {
        int one = super.read();
        count(one < 0 ? 0 : 1);
        return one;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        int count = super.read(buffer, offset, length);
        count(count);
        return count;
    }

    private void count(int more) throws ImageException {
        bytes += Math.max(more, 0);
        if (bytes > LayerLimits.RATIO_FREE_BYTES && bytes / ratio > blob.bytes()) {
            throw new ImageException(Kind.CORRUPT, "its first " + blob.bytes() + " bytes unpack to more than "
                    + ratio + " times as many, the limit for a layer (limits.layer_ratio)");
        }
    }
}
