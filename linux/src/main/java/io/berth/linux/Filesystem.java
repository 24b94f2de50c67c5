package io.berth.linux;

import com.sun.jna.Native;

/**
 * A file system as {@code statfs(2)} describes it.
 *
 * @param type the magic number, such as {@link #OVERLAYFS}
 * @param totalBytes its size
 * @param availableBytes what an unprivileged process may still write
 * @param totalInodes 0 where it does not count them
 * @param freeInodes 0 where it does not count them
 */
public record Filesystem(long type, long totalBytes, long availableBytes, long totalInodes, long freeInodes) {
    public static final long OVERLAYFS = 0x794c7630L;
    public static final long TMPFS = 0x01021994L;
    public static final long CGROUP2 = 0x63677270L;
    public static final long NSFS = 0x6e736673L;

    /** {@code struct statfs} has 15 longs at most where a long has 64 bits. */
    private static final int STATFS_LONGS = 16;

    /** The file system that {@code file} is on. */
    public static Filesystem of(Fd file) throws LinuxException {
        long[] buffer = new long[STATFS_LONGS];
        if (FileCalls.fstatfs(file.number(), buffer) < 0) {
            throw new LinuxException("fstatfs", null, Native.getLastError());
        }
        long blockSize = buffer[1];
        return new Filesystem(buffer[0], buffer[2] * blockSize, buffer[4] * blockSize, buffer[5], buffer[6]);
    }

    /** The file system that {@code path} is on. */
    public static Filesystem of(RawPath path) throws LinuxException {
        try (Fd file = Openat.open(path, OpenFlags.O_PATH)) {
            return of(file);
        }
    }

    /** Waits until everything written to the file system of {@code file} is on disk; reports write errors since it was opened. */
    public static void sync(Fd file, Object subject) throws LinuxException {
        if (FileCalls.syncfs(file.number()) < 0) {
            throw new LinuxException("syncfs", subject.toString(), Native.getLastError());
        }
    }
}
