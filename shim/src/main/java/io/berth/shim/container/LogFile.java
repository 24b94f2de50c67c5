package io.berth.shim.container;

import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Text;
import io.berth.shim.log.LogSink;
import io.berth.shim.log.Timestamp;
import org.teavm.interop.Address;

/**
 * The container's log. A full disk costs lines, and never the container or a torn record. The log itself says how many are
 * lost, where they would be, as soon as there is room for that.
 */
final class LogFile implements LogSink {
    private static final int MODE = 0640;
    private static final int NOTICE_BYTES = 256;

    private final byte[] path;
    private final int pathOffset;
    private int fd = -1;
    private long droppedLines;
    private long droppedBytes;
    private long untoldLines;
    private int dropErrno;
    private final byte[] lastTime = new byte[Timestamp.LENGTH];
    private final Text notice = new Text(NOTICE_BYTES);

    /** @param pathOffset where the NUL-terminated path begins, or -1 to discard everything */
    LogFile(byte[] path, int pathOffset) {
        this.path = path;
        this.pathOffset = pathOffset;
    }

    boolean discards() {
        return pathOffset < 0;
    }

    /** Opens the file again at its path, where a rotation has moved it away. Gives 0 or an errno; then the old file stays. */
    int reopen() {
        if (discards()) {
            return 0;
        }
        int opened = Libc.open(Address.ofData(path).add(pathOffset),
                Libc.O_WRONLY | Libc.O_CREAT | Libc.O_APPEND | Libc.O_CLOEXEC, MODE);
        if (opened < 0) {
            return Libc.errno();
        }
        if (fd >= 0) {
            Libc.close(fd);
        }
        fd = opened;
        return 0;
    }

    @Override
    public void write(byte[] records, int length) {
        int done = 0;
        tellLoss();
        while (done < length) {
            int n = Libc.write(fd, Address.ofData(records).add(done), length - done);
            if (n > 0) {
                done += n;
            } else if (n == 0 || Libc.errno() != Libc.EINTR) {
                dropErrno = Libc.errno();
                drop(records, done, length);
                return;
            }
        }
    }

    /** Writes how many lines are lost, once; a later call tries again where there is no room for it yet. */
    void tellLoss() {
        if (untoldLines == 0) {
            return;
        }
        notice.clear().add(lastTime, 0, lastTime.length).add(" stderr F berth: ").addNumber(untoldLines)
                .add(" lines of this log are lost: ").addError(dropErrno).add("\n");
        int n = Libc.write(fd, notice.address(), notice.length());
        if (n == notice.length()) {
            untoldLines = 0;
        } else if (n > 0) {
            takeBack(n);
        }
    }

    /** Counts the lines that are lost, and takes back the part of a record that was written. */
    private void drop(byte[] records, int written, int length) {
        int torn = 0;
        while (torn < written && records[written - torn - 1] != '\n') {
            torn++;
        }
        takeBack(torn);
        droppedBytes += length - written + torn;
        for (int i = written; i < length; i++) {
            if (records[i] == '\n') {
                droppedLines++;
                untoldLines++;
            }
        }
        for (int i = 0; i < lastTime.length; i++) {
            lastTime[i] = records[written - torn + i];
        }
    }

    private void takeBack(int bytes) {
        if (bytes > 0) {
            long size = Libc.lseek(fd, 0, Libc.SEEK_END);
            if (size >= bytes) {
                Libc.ftruncate(fd, size - bytes);
            }
        }
    }

    long droppedLines() {
        return droppedLines;
    }

    long droppedBytes() {
        return droppedBytes;
    }
}
