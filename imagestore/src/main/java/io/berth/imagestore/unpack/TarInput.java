package io.berth.imagestore.unpack;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.io.IOException;
import java.security.MessageDigest;
import org.jspecify.annotations.Nullable;

/**
 * The uncompressed bytes of a layer in order, hashed as they come; lets its reader look into its buffer. All but the content of
 * files goes into the layer's record.
 */
final class TarInput {
    private final Blocks blocks;
    private final MessageDigest hash;
    private final LayerRecorder recorder;
    private final long maxBytes;
    private Blocks.@Nullable Block block;
    private byte[] array = new byte[0];
    private int position;
    private int limit;
    private long received;
    private boolean ended;

    TarInput(Blocks blocks, MessageDigest hash, LayerRecorder recorder, long maxBytes) {
        this.blocks = blocks;
        this.hash = hash;
        this.recorder = recorder;
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

    /** Takes {@code count} available bytes that are content of a file in the layer. */
    void advance(int count) {
        position += count;
    }

    /** Takes {@code count} available bytes that no file of the layer has. */
    void pass(int count) throws ImageException {
        try {
            recorder.tar(array, position, count);
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw LayerUnpacker.failure("the layer's record: ", e);
        }
        position += count;
    }

    /** Fills {@code target} as far as there are bytes; returns how many. */
    int read(byte[] target) throws ImageException {
        int done = 0;
        for (int count; done < target.length
                && (count = available(target.length - done)) > 0; done += count) {
            System.arraycopy(array, position, target, done, count);
            pass(count);
        }
        return done;
    }

    /** Passes over {@code bytes}; returns how many there were. */
    long skip(long bytes) throws ImageException {
        long done = 0;
        for (int count; done < bytes && (count = available(bytes - done)) > 0; done += count) {
            pass(count);
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
                    "it unpacks to more than " + maxBytes
                            + " bytes, the limit for a layer (limits.layer_bytes)");
        }
        if (!next.hashed) {
            hash.update(array, 0, limit);
        }
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
