package io.berth.shim.wire;

/**
 * Numbers of the protocol and the encoding of its integers; {@code docs/shim-protocol.md} says what they mean. A frame is
 * a length (4 bytes, of all that follows), a type (1 byte) and a body; integers are big-endian.
 */
public final class Wire {
    /** The newest version that this code speaks. */
    public static final int VERSION = 1;

    /** The oldest that a daemon speaks: supervisors live through its upgrades, so it moves only with a release's notes. */
    public static final int OLDEST_VERSION = 1;

    public static final int HEADER_BYTES = 5;

    /** Longest body of a frame in both directions. */
    public static final int MAX_BODY_BYTES = 32 * 1024;

    /** Longest name of a process file. */
    public static final int MAX_NAME_BYTES = 64;

    // From the daemon.
    public static final int HELLO = 1;
    public static final int AWAIT_CREATED = 2;
    public static final int START = 3;
    public static final int WATCH = 4;
    public static final int EXEC = 5;
    public static final int ATTACH = 6;
    public static final int REOPEN_LOG = 7;
    public static final int RESIZE = 8;
    public static final int KILL_EXEC = 9;
    public static final int SHUTDOWN = 10;
    public static final int LOG_STATUS = 11;
    public static final int STDIN = 16;
    public static final int CLOSE_STDIN = 17;

    // From the supervisor.
    public static final int WELCOME = 64;
    public static final int OK = 65;
    public static final int ERROR = 66;
    public static final int EXIT = 67;
    public static final int STARTED = 68;
    public static final int LOG_COUNTS = 69;
    public static final int STDOUT = 80;
    public static final int STDERR = 81;

    // Kinds of ERROR.
    /** The text is the OCI runtime's log. */
    public static final int ERROR_OCI = 1;
    public static final int ERROR_FAILED = 2;
    /** A table is full; the request may be tried again. */
    public static final int ERROR_BUSY = 3;
    /** The request does not fit the container's state. */
    public static final int ERROR_STATE = 4;
    public static final int ERROR_PROTOCOL = 5;

    // States of the container.
    public static final int STATE_CREATING = 0;
    public static final int STATE_CREATED = 1;
    public static final int STATE_RUNNING = 2;
    public static final int STATE_EXITED = 3;
    public static final int STATE_FAILED = 4;

    // Flags of EXEC.
    public static final int FLAG_TERMINAL = 1;
    public static final int FLAG_STDIN = 2;

    private Wire() {}

    public static void putInt(byte[] bytes, int at, int value) {
        bytes[at] = (byte) (value >>> 24);
        bytes[at + 1] = (byte) (value >>> 16);
        bytes[at + 2] = (byte) (value >>> 8);
        bytes[at + 3] = (byte) value;
    }

    public static int intAt(byte[] bytes, int at) {
        return (bytes[at] << 24) | ((bytes[at + 1] & 0xff) << 16) | ((bytes[at + 2] & 0xff) << 8)
                | (bytes[at + 3] & 0xff);
    }

    public static int shortAt(byte[] bytes, int at) {
        return ((bytes[at] & 0xff) << 8) | (bytes[at + 1] & 0xff);
    }

    public static void putLong(byte[] bytes, int at, long value) {
        putInt(bytes, at, (int) (value >>> 32));
        putInt(bytes, at + 4, (int) value);
    }

    /** As the kernel's structures have it on every machine this runs on. */
    public static void putIntLittle(byte[] bytes, int at, int value) {
        bytes[at] = (byte) value;
        bytes[at + 1] = (byte) (value >>> 8);
        bytes[at + 2] = (byte) (value >>> 16);
        bytes[at + 3] = (byte) (value >>> 24);
    }

    public static int intLittle(byte[] bytes, int at) {
        return (bytes[at + 3] << 24) | ((bytes[at + 2] & 0xff) << 16) | ((bytes[at + 1] & 0xff) << 8)
                | (bytes[at] & 0xff);
    }

    public static void putLongLittle(byte[] bytes, int at, long value) {
        putIntLittle(bytes, at, (int) value);
        putIntLittle(bytes, at + 4, (int) (value >>> 32));
    }

    public static long longLittle(byte[] bytes, int at) {
        return ((long) intLittle(bytes, at + 4) << 32) | (intLittle(bytes, at) & 0xffffffffL);
    }

    /** The decimal number that begins at {@code from}, or -1 where none does or it is too large. */
    public static int decimal(byte[] bytes, int from, int to) {
        long value = -1;
        for (int i = from; i < to && bytes[i] >= '0' && bytes[i] <= '9'; i++) {
            value = (value < 0 ? 0 : value * 10) + (bytes[i] - '0');
            if (value > Integer.MAX_VALUE) {
                return -1;
            }
        }
        return (int) value;
    }

    /** Where ASCII {@code word} begins in the range, or -1. */
    public static int indexOf(byte[] bytes, int from, int to, String word) {
        for (int i = from; i + word.length() <= to; i++) {
            int j = 0;
            while (j < word.length() && bytes[i + j] == word.charAt(j)) {
                j++;
            }
            if (j == word.length()) {
                return i;
            }
        }
        return -1;
    }

    /** Whether the range is a plain file name: not empty, not too long, no slash, no NUL, not hidden. */
    public static boolean isPlainName(byte[] bytes, int from, int length) {
        if (length < 1 || length > MAX_NAME_BYTES || bytes[from] == '.') {
            return false;
        }
        for (int i = from; i < from + length; i++) {
            if (bytes[i] == '/' || bytes[i] == 0) {
                return false;
            }
        }
        return true;
    }
}
