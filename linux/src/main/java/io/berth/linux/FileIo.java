package io.berth.linux;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;

/** Calls on an open file. */
public final class FileIo {
    private static final int SYNC_FILE_RANGE_WRITE = 2;
    private static final int SEEK_DATA = 3;

    private FileIo() {}

    /** The address of a direct buffer's first byte, for {@link #write}: found once, used for many calls. */
    public static long address(ByteBuffer direct) {
        return Pointer.nativeValue(Native.getDirectBufferPointer(direct));
    }

    /**
     * Writes {@code count} bytes at {@code address}, all of them.
     *
     * @param subject what the error names
     */
    public static void write(Fd file, long address, long count, Object subject) throws LinuxException {
        long done = 0;
        while (done < count) {
            long written = FileCalls.write(file.number(), address + done, count - done);
            if (written < 0 && Native.getLastError() != Errno.EINTR.number()) {
                throw new LinuxException("write", subject.toString(), Native.getLastError());
            }
            done += Math.max(written, 0);
        }
    }

    /** Like {@link #write}, at {@code offset} of the file; its position stays. */
    public static void pwrite(Fd file, long address, long count, long offset, Object subject)
            throws LinuxException {
        long done = 0;
        while (done < count) {
            long written = FileCalls.pwrite(file.number(), address + done, count - done, offset + done);
            if (written < 0 && Native.getLastError() != Errno.EINTR.number()) {
                throw new LinuxException("pwrite", subject.toString(), Native.getLastError());
            }
            done += Math.max(written, 0);
        }
    }

    /**
     * Reads at {@code offset} of the file to {@code address}, at most {@code count} bytes; its position stays.
     *
     * @return how many bytes there were; 0 at the file's end
     */
    public static long pread(Fd file, long address, long count, long offset, Object subject)
            throws LinuxException {
        while (true) {
            long read = FileCalls.pread(file.number(), address, count, offset);
            if (read >= 0) {
                return read;
            }
            if (Native.getLastError() != Errno.EINTR.number()) {
                throw new LinuxException("pread", subject.toString(), Native.getLastError());
            }
        }
    }

    /** Where the next bytes are that are no hole, from {@code offset} on; -1 where only a hole follows. */
    public static long nextData(Fd file, long offset, Object subject) throws LinuxException {
        long data = FileCalls.lseek(file.number(), offset, SEEK_DATA);
        if (data < 0 && Native.getLastError() == Errno.ENXIO.number()) {
            return -1;
        }
        if (data < 0) {
            throw new LinuxException("lseek", subject.toString(), Native.getLastError());
        }
        return data;
    }

    public static void chown(Fd file, int uid, int gid, Object subject) throws LinuxException {
        check(FileCalls.fchown(file.number(), uid, gid), "fchown", subject);
    }

    public static void chmod(Fd file, int mode, Object subject) throws LinuxException {
        check(FileCalls.fchmod(file.number(), mode), "fchmod", subject);
    }

    public static void setTimes(Fd file, FileTimes times, Object subject) throws LinuxException {
        check(FileCalls.futimens(file.number(), times.timespecs()), "futimens", subject);
    }

    public static void truncate(Fd file, long length, Object subject) throws LinuxException {
        check(FileCalls.ftruncate(file.number(), length), "ftruncate", subject);
    }

    /** Waits until a file, or the names in a directory, are on disk. */
    public static void sync(Fd file, Object subject) throws LinuxException {
        check(FileCalls.fsync(file.number()), "fsync", subject);
    }

    /** Asks the kernel to start writing a range to disk, and does not wait. A hint: what cannot be done is ignored. */
    public static void startWriteback(Fd file, long offset, long count) {
        int ignored = FileCalls.sync_file_range(file.number(), offset, count, SYNC_FILE_RANGE_WRITE);
    }

    private static void check(int result, String call, Object subject) throws LinuxException {
        if (result < 0) {
            throw new LinuxException(call, subject.toString(), Native.getLastError());
        }
    }
}
