package io.berth.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A child's three standard streams: a memory file that holds all of the input, so that nobody has to feed it, and two pipes that one
 * thread reads.
 */
final class Pipes implements AutoCloseable {
    private static final int O_CLOEXEC = 0x80000;
    private static final int MFD_CLOEXEC = 1;
    private static final short POLLIN = 1;
    private static final int POLLFD_SIZE = 8;
    private static final int BUFFER_SIZE = 64 * 1024;
    private static final int ERROR_TAIL = 4096;
    /** How long to wait for the pipes' end after the child's own, since what it left behind may hold them for ever. */
    private static final long LEFT_OPEN_NANOS = 200_000_000;

    static {
        Native.register(Pipes.class, "c");
    }

    private final Fd input;
    private final Pipe output;
    private final Pipe error;
    private final int outputLimit;
    private final ByteArrayOutputStream outputBytes = new ByteArrayOutputStream();
    private boolean outputTruncated;
    private byte[] errorBytes = {};

    private record Pipe(Fd reader, Fd writer) implements AutoCloseable {
        static Pipe open() throws LinuxException {
            try (Memory fds = new Memory(8)) {
                if (pipe2(fds, O_CLOEXEC) != 0) {
                    throw SystemCalls.failure("pipe2", null);
                }
                return new Pipe(new Fd(fds.getInt(0)), new Fd(fds.getInt(4)));
            }
        }

        @Override
        public void close() {
            reader.close();
            writer.close();
        }
    }

    private Pipes(Fd input, Pipe output, Pipe error, int outputLimit) {
        this.input = input;
        this.output = output;
        this.error = error;
        this.outputLimit = outputLimit;
    }

    static Pipes open(byte[] input, int outputLimit) throws LinuxException {
        Fd file = memoryFile(input);
        try {
            Pipe output = Pipe.open();
            try {
                return new Pipes(file, output, Pipe.open(), outputLimit);
            } catch (LinuxException e) {
                output.close();
                throw e;
            }
        } catch (LinuxException e) {
            file.close();
            throw e;
        }
    }

    int childInput() {
        return input.number();
    }

    int childOutput() {
        return output.writer.number();
    }

    int childError() {
        return error.writer.number();
    }

    /**
     * Reads until the child has ended and both pipes have, too.
     *
     * @param end {@link System#nanoTime} of the deadline
     * @return false where the deadline came first and the child still runs
     */
    boolean drain(PidFd child, long end) throws LinuxException {
        output.writer.close();
        error.writer.close();
        boolean outputOpen = true;
        boolean errorOpen = true;
        boolean running = true;
        long until = end;
        try (Memory buffer = new Memory(BUFFER_SIZE); Memory fds = new Memory(3L * POLLFD_SIZE)) {
            while (outputOpen || errorOpen || running) {
                long left = until - System.nanoTime();
                if (left <= 0) {
                    return !running;
                }
                watch(fds, 0, outputOpen ? output.reader.number() : -1);
                watch(fds, 1, errorOpen ? error.reader.number() : -1);
                watch(fds, 2, running ? child.fd() : -1);
                if (poll(fds, 3, (int) Math.min(Integer.MAX_VALUE, left / 1_000_000 + 1)) < 0) {
                    continue; // EINTR: nothing else can be wrong with these arguments
                }
                if (ready(fds, 0)) {
                    outputOpen = read(output.reader, buffer, true);
                }
                if (ready(fds, 1)) {
                    errorOpen = read(error.reader, buffer, false);
                }
                if (ready(fds, 2)) {
                    running = false;
                    until = Math.min(until, System.nanoTime() + LEFT_OPEN_NANOS);
                }
            }
        }
        return true;
    }

    String output() {
        return outputBytes.toString(StandardCharsets.UTF_8);
    }

    boolean outputTruncated() {
        return outputTruncated;
    }

    String errorTail() {
        return new String(errorBytes, StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        input.close();
        output.close();
        error.close();
    }

    private boolean read(Fd from, Memory buffer, boolean isOutput) {
        long length = read(from.number(), buffer, BUFFER_SIZE);
        if (length <= 0) {
            return false;
        }
        byte[] bytes = buffer.getByteArray(0, (int) length);
        if (isOutput) {
            int kept = Math.min(bytes.length, outputLimit - outputBytes.size());
            outputBytes.write(bytes, 0, kept);
            outputTruncated |= kept < bytes.length;
        } else {
            byte[] joined = Arrays.copyOf(errorBytes, errorBytes.length + bytes.length);
            System.arraycopy(bytes, 0, joined, errorBytes.length, bytes.length);
            errorBytes = Arrays.copyOfRange(joined, Math.max(0, joined.length - ERROR_TAIL), joined.length);
        }
        return true;
    }

    private static Fd memoryFile(byte[] content) throws LinuxException {
        int number = memfd_create(SystemCalls.cString("stdin"), MFD_CLOEXEC);
        if (number < 0) {
            throw SystemCalls.failure("memfd_create", "stdin");
        }
        Fd fd = new Fd(number);
        // One call takes it all: a memory file has no short writes but for lack of memory. pwrite keeps the offset at 0.
        if (content.length > 0 && pwrite(number, content, content.length, 0) != content.length) {
            LinuxException e = SystemCalls.failure("pwrite", "memory file of " + content.length + " bytes");
            fd.close();
            throw e;
        }
        return fd;
    }

    private static void watch(Memory fds, int index, int fd) {
        long at = (long) index * POLLFD_SIZE;
        fds.setInt(at, fd);
        fds.setShort(at + 4, POLLIN);
        fds.setShort(at + 6, (short) 0);
    }

    private static boolean ready(Memory fds, int index) {
        return fds.getShort((long) index * POLLFD_SIZE + 6) != 0;
    }

    private static native int pipe2(Memory fds, int flags);

    private static native int memfd_create(byte[] name, int flags);

    private static native long pwrite(int fd, byte[] bytes, long length, long offset);

    private static native long read(int fd, Memory buffer, long size);

    private static native int poll(Memory fds, long count, int timeoutMillis);
}
