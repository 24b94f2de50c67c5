package io.berth.linux;

import com.sun.jna.Native;
import org.jspecify.annotations.Nullable;

/** The C library's file functions as they are: -1 and {@link Native#getLastError} on failure. */
final class FileCalls {
    static final long SYS_MKNODAT = Machine.ARM64 ? 33 : 259;
    static final long SYS_OPENAT2 = 437;
    static final long SYS_GETDENTS64 = Machine.ARM64 ? 61 : 217;

    static {
        Native.register(FileCalls.class, "c");
    }

    private FileCalls() {}

    /** {@code openat2(2)}, which has no wrapper in the C library: (SYS_OPENAT2, dir, path, {flags, mode, resolve}, 24). */
    static native long syscall(long number, long dir, byte[] path, long[] how, long size);

    /** {@code mknodat(2)}, which glibc before 2.33 does not export: (SYS_MKNODAT, dir, path, mode, device). */
    static native long syscall(long number, long dir, byte[] path, long mode, long device);

    /** {@code getdents64(2)}: (SYS_GETDENTS64, fd, buffer, size). */
    static native long syscall(long number, long fd, byte[] buffer, long size);

    static native int openat(int dir, byte[] path, int flags, int mode);

    static native int mkdirat(int dir, byte[] path, int mode);

    static native int symlinkat(byte[] target, int dir, byte[] path);

    static native int linkat(int oldDir, byte[] oldPath, int newDir, byte[] newPath, int flags);

    static native int unlinkat(int dir, byte[] path, int flags);

    static native int renameat2(int oldDir, byte[] oldPath, int newDir, byte[] newPath, int flags);

    static native long readlinkat(int dir, byte[] path, byte[] buffer, long size);

    static native int fchownat(int dir, byte[] path, int uid, int gid, int flags);

    static native int fchmodat(int dir, byte[] path, int mode, int flags);

    static native int utimensat(int dir, byte[] path, long[] times, int flags);

    static native int statx(int dir, byte[] path, int flags, int mask, byte[] buffer);

    static native int fchown(int fd, int uid, int gid);

    static native int fchmod(int fd, int mode);

    static native int futimens(int fd, long[] times);

    static native int ftruncate(int fd, long length);

    static native long write(int fd, long address, long count);

    static native long pwrite(int fd, long address, long count, long offset);

    static native long pread(int fd, long address, long count, long offset);

    static native long lseek(int fd, long offset, int whence);

    static native int fsync(int fd);

    static native int syncfs(int fd);

    static native int sync_file_range(int fd, long offset, long count, int flags);

    static native int fstatfs(int fd, long[] buffer);

    static native int lsetxattr(byte[] path, byte[] name, byte[] value, long size, int flags);

    static native int fsetxattr(int fd, byte[] name, byte[] value, long size, int flags);

    static native long lgetxattr(byte[] path, byte[] name, byte @Nullable [] value, long size);

    static native long fgetxattr(int fd, byte[] name, byte @Nullable [] value, long size);

    static native long llistxattr(byte[] path, byte @Nullable [] list, long size);
}
