package io.berth.shim.libc;

import org.teavm.interop.Address;

/** Small files, by paths relative to the working directory. A result below 0 is a negated errno. */
public final class Files {
    private static final int MODE = 0600;

    private Files() {}

    /** Writes {@code content} so that a reader sees the whole of it or nothing, and so that it survives a crash of the machine. */
    public static int writeDurably(Text path, Text temporary, Text content) {
        return write(path, temporary, content, true);
    }

    /** Writes {@code content} so that a reader sees the whole of it or nothing; what it says is void after a crash of the machine. */
    public static int writeAtomically(Text path, Text temporary, Text content) {
        return write(path, temporary, content, false);
    }

    private static int write(Text path, Text temporary, Text content, boolean durably) {
        int fd = Libc.open(temporary.address(), Libc.O_WRONLY | Libc.O_CREAT | Libc.O_TRUNC | Libc.O_CLOEXEC,
                MODE);
        if (fd < 0) {
            return -Libc.errno();
        }
        int result = writeAll(fd, content.array(), 0, content.length());
        if (result >= 0 && durably && Libc.fsync(fd) < 0) {
            result = -Libc.errno();
        }
        Libc.close(fd);
        if (result >= 0 && Libc.rename(temporary.address(), path.address()) < 0) {
            result = -Libc.errno();
        }
        return result < 0 ? result : 0;
    }

    /** Writes {@code content} to a file that exists, such as one of cgroupfs. */
    public static int write(Address path, Text content) {
        int fd = Libc.open(path, Libc.O_WRONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0) {
            return -Libc.errno();
        }
        int result = writeAll(fd, content.array(), 0, content.length());
        Libc.close(fd);
        return result;
    }

    /** Reads the start of a file, as much as {@code into} holds. */
    public static int read(Text path, Text into) {
        int fd = Libc.open(path.address(), Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0) {
            return -Libc.errno();
        }
        into.clear().addFile(fd, 0);
        Libc.close(fd);
        return into.length();
    }

    /** Appends the last part of a file, as much as {@code into} has room for; nothing where it cannot be read. */
    public static void readEnd(Text path, Text into) {
        int fd = Libc.open(path.address(), Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (fd >= 0) {
            long size = Libc.lseek(fd, 0, Libc.SEEK_END);
            into.addFile(fd, Math.max(0, size - into.room()));
            Libc.close(fd);
        }
    }

    /** Writes everything to a blocking descriptor; gives the count, or a negated errno. */
    public static int writeAll(int fd, byte[] bytes, int offset, int length) {
        if (offset < 0 || length < 0 || offset > bytes.length - length) {
            return -Libc.EIO;
        }
        int done = 0;
        while (done < length) {
            int n = Libc.write(fd, Address.ofData(bytes).add(offset + done), length - done);
            if (n < 0) {
                if (Libc.errno() == Libc.EINTR) {
                    continue;
                }
                return -Libc.errno();
            }
            done += n;
        }
        return done;
    }
}
