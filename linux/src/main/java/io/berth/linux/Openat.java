package io.berth.linux;

import com.sun.jna.Native;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * File system calls relative to an open directory. Every name is resolved by the kernel from that directory; the last
 * component is never followed where it is a symbolic link, except where {@link #open} is asked to.
 */
public final class Openat {
    /** File types of {@code st_mode}. */
    public static final int S_IFMT = 0170000;
    public static final int S_IFSOCK = 0140000;
    public static final int S_IFLNK = 0120000;
    public static final int S_IFREG = 0100000;
    public static final int S_IFBLK = 0060000;
    public static final int S_IFDIR = 0040000;
    public static final int S_IFCHR = 0020000;
    public static final int S_IFIFO = 0010000;

    /** Fail rather than replace the new name. */
    public static final int RENAME_NOREPLACE = 1;
    /** Swap the two names in one step. */
    public static final int RENAME_EXCHANGE = 2;

    private static final int AT_FDCWD = -100;
    private static final int AT_SYMLINK_NOFOLLOW = 0x100;
    private static final int AT_REMOVEDIR = 0x200;
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_BASIC_STATS = 0x7ff;
    private static final int OPEN_HOW_BYTES = 24;
    private static final int PATH_MAX = 4096;

    private Openat() {}

    /** Opens an absolute path, or one relative to the working directory. {@code O_CLOEXEC} is added. */
    public static Fd open(RawPath path, int flags) throws LinuxException {
        return fd(FileCalls.openat(AT_FDCWD, path.terminated(), flags | OpenFlags.O_CLOEXEC, 0), "open",
                path);
    }

    /** {@code openat(2)}; {@code O_CLOEXEC} is added. {@code mode} counts where a file is made, less the umask. */
    public static Fd open(Fd dir, RawPath path, int flags, int mode) throws LinuxException {
        return fd(FileCalls.openat(dir.number(), path.terminated(), flags | OpenFlags.O_CLOEXEC, mode),
                "openat", path);
    }

    /**
     * {@code openat2(2)} with {@code resolve} of the RESOLVE constants; {@code O_CLOEXEC} is added. Tried again where the
     * kernel says that a rename got in the way.
     */
    public static Fd open(Fd dir, RawPath path, int flags, int mode, long resolve) throws LinuxException {
        long[] how = {flags | OpenFlags.O_CLOEXEC, mode, resolve};
        for (int attempt = 0;; attempt++) {
            long fd = FileCalls.syscall(FileCalls.SYS_OPENAT2, dir.number(), path.terminated(), how,
                    OPEN_HOW_BYTES);
            if (fd >= 0) {
                return new Fd((int) fd);
            }
            int errno = Native.getLastError();
            if (errno != Errno.EAGAIN.number() || attempt == 64) {
                throw new LinuxException("openat2", path.toString(), errno);
            }
        }
    }

    public static void mkdir(Fd dir, RawPath path, int mode) throws LinuxException {
        check(FileCalls.mkdirat(dir.number(), path.terminated(), mode), "mkdirat", path);
    }

    /** {@code mode} has the file type; {@code device} comes from {@link #device}, and is 0 for a FIFO. */
    public static void mknod(Fd dir, RawPath path, int mode, long device) throws LinuxException {
        check(FileCalls.syscall(FileCalls.SYS_MKNODAT, dir.number(), path.terminated(), mode, device),
                "mknodat", path);
    }

    /** The kernel's form of a device number, as of {@code makedev(3)}; the upper halves that mknod(2) ignores are refused. */
    public static long device(long major, long minor) {
        if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff) {
            throw new IllegalArgumentException("no device number: " + major + ":" + minor);
        }
        return (minor & 0xff) | (major << 8) | ((minor & ~0xffL) << 12);
    }

    public static void symlink(RawPath target, Fd dir, RawPath path) throws LinuxException {
        check(FileCalls.symlinkat(target.terminated(), dir.number(), path.terminated()), "symlinkat", path);
    }

    /** A new name for a file; the old one is not followed where it is a symbolic link. */
    public static void link(Fd oldDir, RawPath oldPath, Fd newDir, RawPath newPath) throws LinuxException {
        check(FileCalls.linkat(oldDir.number(), oldPath.terminated(), newDir.number(), newPath.terminated(),
                0), "linkat",
                newPath);
    }

    public static void unlink(Fd dir, RawPath path) throws LinuxException {
        check(FileCalls.unlinkat(dir.number(), path.terminated(), 0), "unlinkat", path);
    }

    public static void rmdir(Fd dir, RawPath path) throws LinuxException {
        check(FileCalls.unlinkat(dir.number(), path.terminated(), AT_REMOVEDIR), "unlinkat", path);
    }

    public static void rename(Fd oldDir, RawPath oldPath, Fd newDir, RawPath newPath, int flags)
            throws LinuxException {
        check(FileCalls.renameat2(oldDir.number(), oldPath.terminated(), newDir.number(),
                newPath.terminated(), flags),
                "renameat2", newPath);
    }

    /** The target of a symbolic link. */
    public static RawPath readlink(Fd dir, RawPath path) throws LinuxException {
        byte[] buffer = new byte[PATH_MAX];
        long length = check(FileCalls.readlinkat(dir.number(), path.terminated(), buffer, buffer.length),
                "readlinkat", path);
        return RawPath.of(Arrays.copyOf(buffer, (int) length), 0, (int) length);
    }

    public static void chown(Fd dir, RawPath path, int uid, int gid) throws LinuxException {
        check(FileCalls.fchownat(dir.number(), path.terminated(), uid, gid, AT_SYMLINK_NOFOLLOW), "fchownat",
                path);
    }

    /** Sets permission bits of what is no symbolic link: those have none, and one here would be followed. */
    public static void chmod(Fd dir, RawPath path, int mode) throws LinuxException {
        check(FileCalls.fchmodat(dir.number(), path.terminated(), mode, 0), "fchmodat", path);
    }

    public static void setTimes(Fd dir, RawPath path, FileTimes times) throws LinuxException {
        check(FileCalls.utimensat(dir.number(), path.terminated(), times.timespecs(), AT_SYMLINK_NOFOLLOW),
                "utimensat",
                path);
    }

    /** What {@code path} is; null where it is absent. */
    public static @Nullable Stat stat(Fd dir, RawPath path) throws LinuxException {
        byte[] buffer = new byte[Stat.STATX_BYTES];
        int result = FileCalls.statx(dir.number(), path.terminated(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
                buffer);
        if (result < 0 && Native.getLastError() == Errno.ENOENT.number()) {
            return null;
        }
        check(result, "statx", path);
        return Stat.of(buffer);
    }

    /** What the open file is; also of {@code O_PATH}. */
    public static Stat stat(Fd file) throws LinuxException {
        byte[] buffer = new byte[Stat.STATX_BYTES];
        RawPath empty = RawPath.of("");
        check(FileCalls.statx(file.number(), empty.terminated(), AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW,
                STATX_BASIC_STATS,
                buffer), "statx", empty);
        return Stat.of(buffer);
    }

    private static Fd fd(int number, String call, RawPath path) throws LinuxException {
        check(number, call, path);
        return new Fd(number);
    }

    private static long check(long result, String call, RawPath path) throws LinuxException {
        if (result < 0) {
            throw new LinuxException(call, path.toString(), Native.getLastError());
        }
        return result;
    }
}
