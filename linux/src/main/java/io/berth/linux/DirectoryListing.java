package io.berth.linux;

import com.sun.jna.Native;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * The names in a directory, read piece by piece: it may have millions, which nobody should have in memory. What is made or
 * deleted meanwhile may show or not. One thread at a time may use an object.
 */
public final class DirectoryListing {
    /** As the C library's. */
    private static final int PIECE_BYTES = 32 << 10;
    private static final int DT_DIR = 4;
    private static final int DT_UNKNOWN = 0;

    private final Fd directory;
    private final int pieceBytes;
    private final Deque<FileTree.Entry> piece = new ArrayDeque<>();
    private boolean ended;

    /** @param directory open for reading, at its start; the caller closes it after the last use of this */
    public DirectoryListing(Fd directory) {
        this(directory, PIECE_BYTES);
    }

    /** @param pieceBytes what is read at one time; at least 512, which the longest name needs */
    DirectoryListing(Fd directory, int pieceBytes) {
        this.directory = directory;
        this.pieceBytes = pieceBytes;
    }

    /** The next name; never {@code .} and {@code ..}. Null after the last. */
    public FileTree.@Nullable Entry next() throws LinuxException {
        while (piece.isEmpty() && !ended) {
            read();
        }
        return piece.poll();
    }

    private void read() throws LinuxException {
        byte[] bytes = new byte[pieceBytes];
        ByteBuffer numbers = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
        long length = FileCalls.syscall(FileCalls.SYS_GETDENTS64, directory.number(), bytes, bytes.length);
        if (length < 0) {
            throw new LinuxException("getdents64", null, Native.getLastError());
        }
        ended = length == 0;
        // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, name.
        for (int at = 0; at < length; at += Short.toUnsignedInt(numbers.getShort(at + 16))) {
            add(bytes, at + 19, bytes[at + 18]);
        }
    }

    private void add(byte[] bytes, int start, int type) throws LinuxException {
        int end = start;
        while (bytes[end] != 0) {
            end++;
        }
        boolean dots = bytes[start] == '.'
                && (end == start + 1 || (end == start + 2 && bytes[start + 1] == '.'));
        if (dots) {
            return;
        }
        RawPath name = RawPath.of(bytes, start, end - start);
        boolean isDirectory = type == DT_DIR;
        if (type == DT_UNKNOWN) {
            Stat stat = Openat.stat(directory, name);
            isDirectory = stat != null && stat.isDirectory();
        }
        piece.add(new FileTree.Entry(name, isDirectory));
    }
}
