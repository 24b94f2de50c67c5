package io.berth.imagestore.unpack;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.security.MessageDigest;
import org.jspecify.annotations.Nullable;

/** The uncompressed bytes of a layer in order, hashed as they come; lets its reader look into its buffer. */
final class TarInput {
    private final Blocks blocks;
    private final MessageDigest hash;
    private final long maxBytes;
    private Blocks.@Nullable Block block;
    private byte[] array = new byte[0];
    private int position;
    private int limit;
    private long received;
    private boolean ended;

    TarInput(Blocks blocks, MessageDigest hash, long maxBytes) {
        this.blocks = blocks;
        this.hash = hash;
        this.maxBytes = maxBytes;
    }

    /** Bytes that can be read at {@link #array} from {@link #position} now, at most {@code max}; 0 at the end only. */
    int available(long max) throws ImageException {
        if (position == limit && !receive()) {
            return 0;
        }
        return (int) Math.min(max, limit - position);
    }

    byte[] array() {
        return array;
    }

    int position() {
        return position;
    }

    void advance(int count) {
        position += count;
    }

    /** Fills {@code target} as far as there are bytes; returns how many. */
    int read(byte[] target) throws ImageException {
        int done = 0;
        for (int count; done < target.length
                && (count = available(target.length - done)) > 0; done += count) {
            System.arraycopy(array, position, target, done, count);
            position += count;
        }
        return done;
    }

    /** Passes over {@code bytes}; returns how many there were. */
    long skip(long bytes) throws ImageException {
        long done = 0;
        for (int count; done < bytes && (count = available(bytes - done)) > 0; done += count) {
            position += count;
        }
        return done;
    }

    /** Bytes received so far; all of the tar after the end. */
    long received() {
        return received;
    }

    private boolean receive() throws ImageException {
        if (ended) {
            return false;
        }
        Blocks.Block next;
        try {
            next = blocks.receive(block);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ImageException(Kind.CANCELLED, "unpacking was cancelled", e);
        }
        position = 0;
        limit = next.length;
        if (next.length == 0) {
            ended = true;
            block = null;
            rethrow(next.failure);
            return false;
        }
        block = next;
        array = next.bytes;
        received += next.length;
        if (received > maxBytes) {
            throw new ImageException(Kind.CORRUPT,
                    "it unpacks to more than " + maxBytes + " bytes, the limit for a layer");
        }
        hash.update(array, 0, limit);
        return true;
    }

    private static void rethrow(@Nullable Throwable failure) throws ImageException {
        switch (failure) {
            case null -> {
            }
            case ImageException e -> throw e;
            case InterruptedException e ->
                throw new ImageException(Kind.CANCELLED, "unpacking was cancelled", e);
            default -> throw new ImageException(Kind.CORRUPT,
                    "it cannot be decompressed: " + failure.getMessage(), failure);
        }
    }
}
