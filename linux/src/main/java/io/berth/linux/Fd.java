package io.berth.linux;

import com.sun.jna.Native;
import java.util.concurrent.atomic.AtomicInteger;

/** An open file descriptor with one owner. Closing twice is harmless; use after close throws. */
public final class Fd implements AutoCloseable {
    static {
        Native.register(Fd.class, "c");
    }

    private final AtomicInteger fd;

    /** Takes ownership of {@code fd}, which must be open. */
    public Fd(int fd) {
        if (fd < 0) {
            throw new IllegalArgumentException("not a file descriptor: " + fd);
        }
        this.fd = new AtomicInteger(fd);
    }

    /** The number, for a system call. Throws {@link IllegalStateException} after {@link #close}. */
    public int number() {
        int number = fd.get();
        if (number < 0) {
            throw new IllegalStateException("file descriptor is closed");
        }
        return number;
    }

    /** Gives up ownership: the caller closes the returned number. */
    public int release() {
        int number = fd.getAndSet(-1);
        if (number < 0) {
            throw new IllegalStateException("file descriptor is closed");
        }
        return number;
    }

    @Override
    public void close() {
        int number = fd.getAndSet(-1);
        if (number >= 0) {
            // EINTR included, Linux has released the number once close returns: never retry.
            close(number);
        }
    }

    private static native int close(int fd);
}
