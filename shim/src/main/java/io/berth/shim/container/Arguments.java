package io.berth.shim.container;

import org.jspecify.annotations.Nullable;

/**
 * The command line of the mode {@code container}, as offsets into the bytes that the kernel gave; a path need not be text.
 * <pre>
 * --dir DIR --id ID --bundle DIR [--log FILE] [--terminal] [--stdin] [--stdin-once] [--restore]
 * [--cgroup FILE]... [--create-arg ARG]... -- RUNTIME [ARG]...
 * </pre>
 */
public final class Arguments {
    private static final int MAX_LIST = 64;

    private final byte[] bytes;
    private final int end;
    private final int[] cgroups = new int[MAX_LIST];
    private final int[] createArguments = new int[MAX_LIST];
    private final int[] runtime = new int[MAX_LIST];
    private int cgroupCount;
    private int createArgumentCount;
    private int runtimeCount;
    private int directory = -1;
    private int id = -1;
    private int bundle = -1;
    private int log = -1;
    private boolean terminal;
    private boolean stdin;
    private boolean stdinOnce;
    private boolean restore;
    private int cursor;

    /** @param bytes NUL-terminated arguments up to {@code end} */
    public Arguments(byte[] bytes, int end) {
        this.bytes = bytes;
        this.end = end;
    }

    /** Reads the arguments from offset {@code from}; gives null, or what is wrong with them. */
    public @Nullable String parse(int from) {
        cursor = from;
        while (cursor < end) {
            int option = next();
            if (is(option, "--")) {
                return parseRuntime();
            } else if (is(option, "--terminal")) {
                terminal = true;
            } else if (is(option, "--stdin")) {
                stdin = true;
            } else if (is(option, "--stdin-once")) {
                stdinOnce = true;
            } else if (is(option, "--restore")) {
                restore = true;
            } else if (cursor >= end) {
                return "the last option is unknown or lacks its value";
            } else if (!parseValue(option)) {
                return "unknown option, or one given too often; see docs/shim-protocol.md";
            }
        }
        return "the OCI runtime is missing: -- RUNTIME [ARG]...";
    }

    private boolean parseValue(int option) {
        int value = next();
        if (is(option, "--dir")) {
            directory = value;
        } else if (is(option, "--id")) {
            id = value;
        } else if (is(option, "--bundle")) {
            bundle = value;
        } else if (is(option, "--log")) {
            log = value;
        } else if (is(option, "--cgroup") && cgroupCount < MAX_LIST) {
            cgroups[cgroupCount++] = value;
        } else if (is(option, "--create-arg") && createArgumentCount < MAX_LIST) {
            createArguments[createArgumentCount++] = value;
        } else {
            return false;
        }
        return true;
    }

    private @Nullable String parseRuntime() {
        while (cursor < end) {
            if (runtimeCount == MAX_LIST) {
                return "too many arguments of the OCI runtime";
            }
            runtime[runtimeCount++] = next();
        }
        if (runtimeCount == 0) {
            return "the OCI runtime is missing: -- RUNTIME [ARG]...";
        }
        if (directory < 0 || id < 0 || bundle < 0) {
            return "--dir, --id and --bundle are required";
        }
        if (bytes[directory] != '/' || bytes[bundle] != '/' || (log >= 0 && bytes[log] != '/')) {
            return "--dir, --bundle and --log take absolute paths";
        }
        if (length(id) == 0 || bytes[id] == '-') {
            return "--id must not be empty or begin with a dash";
        }
        return null;
    }

    private int next() {
        int start = cursor;
        cursor += length(start) + 1;
        return start;
    }

    /** Whether the argument at {@code offset} is this word. */
    private boolean is(int offset, String word) {
        if (length(offset) != word.length()) {
            return false;
        }
        for (int i = 0; i < word.length(); i++) {
            if (bytes[offset + i] != word.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    /** Bytes of the argument at {@code offset}, without its NUL. */
    public int length(int offset) {
        int i = offset;
        while (i < end && bytes[i] != 0) {
            i++;
        }
        return i - offset;
    }

    public byte[] bytes() {
        return bytes;
    }

    public int directory() {
        return directory;
    }

    public int id() {
        return id;
    }

    public int bundle() {
        return bundle;
    }

    /** Offset of the log's path, or -1 where output is discarded. */
    public int log() {
        return log;
    }

    public boolean terminal() {
        return terminal;
    }

    public boolean stdin() {
        return stdin;
    }

    public boolean stdinOnce() {
        return stdinOnce;
    }

    /** Whether the container goes on from a checkpoint in place of being created. */
    public boolean restore() {
        return restore;
    }

    public int cgroupCount() {
        return cgroupCount;
    }

    public int cgroup(int index) {
        return cgroups[index];
    }

    public int createArgumentCount() {
        return createArgumentCount;
    }

    public int createArgument(int index) {
        return createArguments[index];
    }

    public int runtimeCount() {
        return runtimeCount;
    }

    public int runtime(int index) {
        return runtime[index];
    }
}
