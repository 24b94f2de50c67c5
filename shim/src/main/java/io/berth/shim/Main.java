package io.berth.shim;

import io.berth.shim.container.ContainerMode;
import io.berth.shim.libc.Files;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Text;
import io.berth.shim.pause.PauseMode;
import io.berth.shim.wire.Wire;

/** The program {@code berth-shim}: chooses the mode. */
public final class Main {
    /** What {@code --version} prints. */
    public static final String VERSION = "berth-shim 0.1.0, protocol 1";

    private static final int MAX_COMMAND_LINE = 32 * 1024;
    private static final int EXIT_USAGE = 2;

    private Main() {}

    public static void main(String[] ignored) {
        // The arguments as the kernel has them: paths are bytes, not text.
        Text line = new Text(MAX_COMMAND_LINE);
        int length = Files.read(new Text(32).add("/proc/self/cmdline"), line);
        if (length < 0 || length == MAX_COMMAND_LINE) {
            exit("berth-shim: cannot read /proc/self/cmdline, or it is longer than 32 KiB\n", 2, EXIT_USAGE);
        }
        byte[] bytes = line.array();
        int mode = next(bytes, 0, length);
        int rest = next(bytes, mode, length);
        if (is(bytes, mode, rest, "container")) {
            Libc.exitNow(ContainerMode.run(bytes, rest, length));
        } else if (is(bytes, mode, rest, "pause")) {
            Libc.exitNow(PauseMode.run(bytes, rest, length));
        } else if (is(bytes, mode, rest, "--version")) {
            exit(VERSION + "\n", 1, 0);
        }
        exit("usage: berth-shim container OPTIONS -- RUNTIME [ARG]... | pause OPTIONS | --version\n", 2,
                EXIT_USAGE);
    }

    private static int next(byte[] bytes, int from, int end) {
        int i = from;
        while (i < end && bytes[i] != 0) {
            i++;
        }
        return Math.min(i + 1, end);
    }

    private static boolean is(byte[] bytes, int from, int next, String word) {
        return next - 1 - from == word.length() && Wire.indexOf(bytes, from, next, word) == from;
    }

    private static void exit(String message, int fd, int code) {
        Text text = new Text(256).add(message);
        Files.writeAll(fd, text.array(), 0, text.length());
        Libc.exitNow(code);
    }
}
