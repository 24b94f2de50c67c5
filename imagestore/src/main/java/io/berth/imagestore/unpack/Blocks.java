package io.berth.imagestore.unpack;

import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * Blocks of bytes on their way from the thread that decompresses to the thread that writes. A fixed number of buffers goes
 * round, so a layer of any size takes the same memory.
 */
final class Blocks {
    private static final int BLOCK_BYTES = 256 << 10;
    private static final int COUNT = 4;

    /** Bytes, or how the stream ended. */
    static final class Block {
        final byte[] bytes;
        int length;
        /** Whether the sender has hashed it. */
        boolean hashed;
        @Nullable
        Throwable failure;

        private Block(byte[] bytes) {
            this.bytes = bytes;
        }
    }

    private final BlockingQueue<Block> free = new ArrayBlockingQueue<>(COUNT);
    private final BlockingQueue<Block> full = new ArrayBlockingQueue<>(COUNT + 1);

    Blocks() {
        for (int i = 0; i < COUNT; i++) {
            free.add(new Block(new byte[BLOCK_BYTES]));
        }
    }

    /**
     * Sends all of {@code in}.
     *
     * @param hash that is to be updated with all of it; null where the receiver does that
     */
    void send(InputStream in, @Nullable MessageDigest hash) throws IOException, InterruptedException {
        while (true) {
            Block block = free.take();
            int length = in.readNBytes(block.bytes, 0, block.bytes.length);
            if (length == 0) {
                return;
            }
            block.length = length;
            block.hashed = hash != null;
            if (hash != null) {
                hash.update(block.bytes, 0, length);
            }
            full.put(block);
        }
    }

    /** Sends the end of the stream, with what went wrong if anything did. The queue has a place for it always. */
    void end(@Nullable Throwable failure) {
        Block last = new Block(new byte[0]);
        last.failure = failure;
        full.add(last);
    }

    /** The next block, length 0 at the end; {@code previous} is free to be filled again. */
    Block receive(@Nullable Block previous) throws InterruptedException {
        if (previous != null) {
            free.add(previous);
        }
        return full.take();
    }
}
