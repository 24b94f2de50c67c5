package io.berth.imagestore.unpack;

import io.berth.linux.Fd;
import io.berth.linux.FileIo;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * Starts the files of a layer on their way to disk while the rest is unpacked, so that the sync at the end finds little. Finding
 * place on the disk and filling its queue takes time, hence a thread of its own; where that falls behind, files are left to the
 * sync.
 */
final class Writeback implements AutoCloseable {
    /** Smaller files are many, and together a fifth of an image's bytes. */
    private static final long WORTH_BYTES = 128 << 10;
    private static final int WAITING = 64;

    /** Its file, or the end. */
    private record Item(@Nullable Fd file) {}

    private final BlockingQueue<Item> queue = new ArrayBlockingQueue<>(WAITING);
    private @Nullable Thread thread;
    private volatile boolean closed;

    /** Takes over {@code file}, which has {@code bytes} and will not be written again, and closes it. */
    void done(Fd file, long bytes) {
        if (bytes < WORTH_BYTES) {
            file.close();
            return;
        }
        if (thread == null) {
            thread = Thread.ofPlatform().daemon().name("writeback").start(this::run);
        }
        if (!queue.offer(new Item(file))) {
            file.close();
        }
    }

    /** Waits until all files are closed. */
    @Override
    public void close() {
        closed = true;
        Thread running = thread;
        if (running == null) {
            return;
        }
        boolean interrupted = false;
        boolean told = false;
        while (running.isAlive()) {
            try {
                if (!told) {
                    queue.put(new Item(null));
                    told = true;
                }
                running.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        try {
            while (true) {
                Fd file = queue.take().file();
                if (file == null) {
                    return;
                }
                try (file) {
                    if (!closed) {
                        FileIo.startWriteback(file, 0, 0);
                    }
                }
            }
        } catch (InterruptedException e) {
            // Nobody does that: close() ends this.
            Thread.currentThread().interrupt();
        }
    }
}
