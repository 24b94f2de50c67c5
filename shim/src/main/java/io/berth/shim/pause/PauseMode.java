package io.berth.shim.pause;

import io.berth.shim.libc.Files;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Signals;
import io.berth.shim.libc.Text;
import io.berth.shim.wire.Wire;
import org.jspecify.annotations.Nullable;
import org.teavm.interop.Address;

/**
 * Joins a pod's namespaces and cgroups, makes a PID namespace and leaves its PID 1 behind, which reaps what nobody else does
 * and ends on SIGTERM or SIGINT.
 * <pre>--pid-file FILE [--join NAMESPACE]... [--cgroup PROCS]...</pre>
 */
public final class PauseMode {
    private static final int EXIT_USAGE = 2;
    private static final int EXIT_FAILED = 1;
    private static final int PATH_BYTES = 4096;

    private PauseMode() {}

    /** Runs the mode with the NUL-terminated arguments from {@code offset}; gives the exit code. */
    public static int run(byte[] bytes, int offset, int end) {
        int pidFile = -1;
        int at = offset;
        while (at < end) {
            int value = after(bytes, at, end);
            if (value >= end) {
                return complain(new Text(64).add("an option lacks its value"), EXIT_USAGE);
            }
            Text failure = null;
            if (is(bytes, at, value, "--pid-file")) {
                pidFile = value;
            } else if (is(bytes, at, value, "--join")) {
                failure = join(bytes, value);
            } else if (is(bytes, at, value, "--cgroup")) {
                failure = enter(bytes, value);
            } else {
                return complain(new Text(64).add("unknown option of pause"), EXIT_USAGE);
            }
            if (failure != null) {
                return complain(failure, EXIT_FAILED);
            }
            at = after(bytes, value, end);
        }
        if (pidFile < 0) {
            return complain(new Text(64).add("--pid-file is required"), EXIT_USAGE);
        }
        return startInit(new Text(PATH_BYTES).add(bytes, pidFile, after(bytes, pidFile, end) - pidFile - 1));
    }

    private static int startInit(Text pidFile) {
        // Blocked before the fork: PID 1 must not lose a signal that comes at once.
        Signals.blockAll();
        if (Libc.unshare(Libc.CLONE_NEWPID) < 0) {
            return complain(new Text(128).add("make a PID namespace: ").addError(Libc.errno()), EXIT_FAILED);
        }
        int pid = Libc.fork();
        if (pid == 0) {
            reap();
            return 0;
        }
        if (pid < 0) {
            return complain(new Text(128).add("fork: ").addError(Libc.errno()), EXIT_FAILED);
        }
        Text temporary = new Text(PATH_BYTES).add(pidFile).add(".new");
        int result = Files.writeAtomically(pidFile, temporary, new Text(16).addNumber(pid).add("\n"));
        if (result < 0) {
            Libc.kill(pid, Libc.SIGKILL);
            return complain(new Text(128).add("write the pid file: ").addError(-result), EXIT_FAILED);
        }
        return 0;
    }

    private static void reap() {
        Libc.setsid();
        int nowhere = Libc.open(new Text(16).add("/dev/null").address(), Libc.O_RDWR, 0);
        Libc.dup2(nowhere, 0);
        Libc.dup2(nowhere, 1);
        Libc.dup2(nowhere, 2);
        Libc.syscall(Libc.SYS_CLOSE_RANGE, 3, Integer.MAX_VALUE, 0);
        byte[] status = new byte[4];
        while (true) {
            int signal = Signals.awaitChildOrEnd();
            if (signal == Libc.SIGTERM || signal == Libc.SIGINT) {
                return;
            }
            while (Libc.waitpid(-1, Address.ofData(status), Libc.WNOHANG) > 0) {
                // Nobody asks how an orphan ended.
            }
        }
    }

    private static @Nullable Text join(byte[] bytes, int path) {
        int fd = Libc.open(Address.ofData(bytes).add(path), Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0 || Libc.setns(fd, 0) < 0) {
            return new Text(128).add("join a namespace: ").addError(Libc.errno());
        }
        Libc.close(fd);
        return null;
    }

    private static @Nullable Text enter(byte[] bytes, int path) {
        int result = Files.write(Address.ofData(bytes).add(path), new Text(4).add("0\n"));
        return result < 0 ? new Text(128).add("enter a cgroup: ").addError(-result) : null;
    }

    private static int after(byte[] bytes, int from, int end) {
        int i = from;
        while (i < end && bytes[i] != 0) {
            i++;
        }
        return i + 1;
    }

    private static boolean is(byte[] bytes, int from, int next, String word) {
        return next - 1 - from == word.length() && Wire.indexOf(bytes, from, next - 1, word) == from;
    }

    private static int complain(Text text, int code) {
        Text line = new Text(256).add("berth-shim pause: ").add(text).add("\n");
        Files.writeAll(2, line.array(), 0, line.length());
        return code;
    }
}
