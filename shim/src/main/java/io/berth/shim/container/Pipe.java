package io.berth.shim.container;

import io.berth.shim.libc.Libc;
import io.berth.shim.wire.Wire;
import org.teavm.interop.Address;

/** A pipe to or from a process, of which one end stays here. */
final class Pipe {
    private static final int BYTES = 256 * 1024;

    private final byte[] fds = new byte[8];
    private int reader = -1;
    private int writer = -1;

    /** False, and {@code errno}, where the kernel refuses. */
    boolean open() {
        if (Libc.pipe2(Address.ofData(fds), Libc.O_CLOEXEC) < 0) {
            return false;
        }
        reader = Wire.intLittle(fds, 0);
        writer = Wire.intLittle(fds, 4);
        // A larger pipe saves turns of the loop; the kernel may refuse it to one who has many.
        Libc.fcntl(reader, Libc.F_SETPIPE_SZ, BYTES);
        return true;
    }

    int reader() {
        return reader;
    }

    int writer() {
        return writer;
    }

    int takeReader() {
        int fd = reader;
        reader = -1;
        Libc.fcntl(fd, Libc.F_SETFL, Libc.O_NONBLOCK);
        return fd;
    }

    int takeWriter() {
        int fd = writer;
        writer = -1;
        Libc.fcntl(fd, Libc.F_SETFL, Libc.O_NONBLOCK);
        return fd;
    }

    void closeReader() {
        if (reader >= 0) {
            Libc.close(reader);
            reader = -1;
        }
    }

    void closeWriter() {
        if (writer >= 0) {
            Libc.close(writer);
            writer = -1;
        }
    }

    void close() {
        closeReader();
        closeWriter();
    }
}
