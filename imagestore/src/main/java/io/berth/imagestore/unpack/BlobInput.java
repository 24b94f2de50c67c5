package io.berth.imagestore.unpack;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.registry.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** Reads a blob and hashes it on the way; {@link #verify} tells whether it was the right one. */
final class BlobInput extends InputStream {
    private final InputStream blob;
    private final @Nullable Descriptor descriptor;
    private final @Nullable MessageDigest hash;
    private final byte[] one = new byte[1];
    private long bytes;

    /** A blob that must be what {@code descriptor} says. */
    BlobInput(InputStream blob, Descriptor descriptor) throws ImageException {
        this.blob = blob;
        this.descriptor = descriptor;
        this.hash = Digest.parse(descriptor.digest()).hasher();
    }

    /** Something that may be anything; it is not hashed. */
    BlobInput(InputStream blob) {
        this.blob = blob;
        this.descriptor = null;
        this.hash = null;
    }

    @Override
    public int read() throws IOException {
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        int count;
        try {
            count = blob.read(buffer, offset, length);
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw new ImageException(Kind.UNAVAILABLE,
                    (descriptor == null ? "the archive" : "layer " + descriptor.digest())
                            + " could not be read beyond " + bytes + " bytes: " + e.getMessage(),
                    e);
        }
        if (count > 0) {
            bytes += count;
            if (hash != null) {
                hash.update(buffer, offset, count);
            }
            if (descriptor != null && bytes > descriptor.size()) {
                throw new ImageException(Kind.CORRUPT, "layer " + descriptor.digest()
                        + " is longer than the " + descriptor.size() + " bytes that its manifest says");
            }
        }
        return count;
    }

    /** Bytes read so far. */
    long bytes() {
        return bytes;
    }

    @Override
    public void close() throws IOException {
        blob.close();
    }

    /** Reads what is left, and compares size and digest with the descriptor's. */
    void verify() throws IOException {
        byte[] rest = new byte[8192];
        while (read(rest, 0, rest.length) >= 0) {
            // Only the hash wants these.
        }
        if (descriptor == null || hash == null) {
            return;
        }
        if (bytes != descriptor.size()) {
            throw new ImageException(Kind.CORRUPT, "layer " + descriptor.digest() + " is truncated: " + bytes
                    + " bytes came, its manifest says " + descriptor.size());
        }
        String got = Digest.parse(descriptor.digest()).algorithm() + ":"
                + HexFormat.of().formatHex(hash.digest());
        if (!got.equals(descriptor.digest())) {
            throw new ImageException(Kind.CORRUPT,
                    "layer " + descriptor.digest() + " has other content: its digest is "
                            + got
                            + ". The registry or a cache before it is damaged, or someone has changed it");
        }
    }
}
