package io.berth.imagestore.unpack;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.util.concurrent.Semaphore;

/**
 * Counts what a layer keeps in memory until it is whole: names and attributes of its directories, and its whiteouts. Without a
 * bound a small blob could fill the heap, as these compress well. Every layer may keep a little; one that needs more waits until
 * no other layer has more, and may then take a share of the heap. One thread uses an object.
 */
final class KeptBytes implements AutoCloseable {
    /** Most layers need a hundredth of it. */
    private static final long SMALL_BYTES = 8 << 20;
    /** What a path and its attributes take beside the path's characters. */
    static final int ITEM_BYTES = 256;

    private final Shared shared;
    private long bytes;
    private boolean large;

    /**
     * What the layers that are unpacked at one time have together.
     *
     * @param large of which a layer has one while it keeps more than {@code smallBytes}
     * @param mostBytes that a layer may keep
     */
    record Shared(Semaphore large, long smallBytes, long mostBytes) {
        /** Of this process: three eighths of its heap. */
        static Shared ofHeap() {
            return new Shared(new Semaphore(1, true), SMALL_BYTES, Runtime.getRuntime().maxMemory() / 8 * 3);
        }
    }

    KeptBytes(Shared shared) {
        this.shared = shared;
    }

    /** Counts one more path with {@code extra} bytes beside it. */
    void add(TarPath path, long extra) throws ImageException {
        bytes += path.text().length() + ITEM_BYTES + extra;
        if (bytes > shared.mostBytes()) {
            throw new ImageException(Kind.CORRUPT,
                    "the directories and whiteouts of the layer need more than "
                            + (shared.mostBytes() >> 20)
                            + " MiB of memory, three eighths of the heap; if the image is meant to be so, give the daemon a larger"
                            + " heap (BERTH_JAVA_OPTS=-Xmx1g)");
        }
        if (!large && bytes > shared.smallBytes()) {
            try {
                shared.large().acquire();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ImageException(Kind.CANCELLED, "unpacking was cancelled", e);
            }
            large = true;
        }
    }

    @Override
    public void close() {
        if (large) {
            large = false;
            shared.large().release();
        }
    }
}
