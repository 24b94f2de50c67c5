package io.berth.shim.container;

import io.berth.shim.libc.Files;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Text;
import org.jspecify.annotations.Nullable;
import org.teavm.interop.Address;

/**
 * Starts a supervisor: what can fail at once fails here, with a word on stderr; then it listens, detaches itself and lets its
 * starter go. How {@code create} went is asked for over the socket.
 */
public final class ContainerMode {
    private static final int EXIT_USAGE = 2;
    private static final int EXIT_FAILED = 1;
    private static final int BACKLOG = 128;
    private static final int UMASK = 022;

    private ContainerMode() {}

    /** Runs the mode with the NUL-terminated arguments from {@code offset}; gives the exit code. */
    public static int run(byte[] bytes, int offset, int end) {
        Arguments arguments = new Arguments(bytes, end);
        String wrong = arguments.parse(offset);
        if (wrong != null) {
            complain(new Text(256).add(wrong));
            return EXIT_USAGE;
        }
        Text failure = enter(arguments);
        if (failure != null) {
            complain(failure);
            return EXIT_FAILED;
        }
        int listener = Console.listen(new Text(16).add("shim.sock"), BACKLOG);
        int nowhere = NullDevice.open();
        if (listener < 0 || nowhere < 0) {
            complain(new Text(256).add("listen on shim.sock: ")
                    .addError(listener < 0 ? -listener : Libc.errno()));
            return EXIT_FAILED;
        }
        int pid = Libc.fork();
        if (pid != 0) {
            return pid > 0 ? 0 : EXIT_FAILED;
        }
        Libc.setsid();
        Libc.dup2(nowhere, 0);
        Libc.dup2(nowhere, 1);
        Libc.dup2(nowhere, 2);
        new Supervisor(arguments, nowhere).run(listener);
        return 0;
    }

    /** Into its directory and its cgroups, with nothing of the starter's left open. Gives what failed. */
    private static @Nullable Text enter(Arguments arguments) {
        Libc.umask(UMASK);
        Libc.syscall(Libc.SYS_CLOSE_RANGE, 3, Integer.MAX_VALUE, 0);
        Address base = Address.ofData(arguments.bytes());
        if (Libc.chdir(base.add(arguments.directory())) < 0) {
            return new Text(256).add("enter the directory: ").addError(Libc.errno());
        }
        for (int i = 0; i < arguments.cgroupCount(); i++) {
            Text self = new Text(4).add("0\n");
            int result = Files.write(Address.ofData(arguments.bytes()).add(arguments.cgroup(i)), self);
            if (result < 0) {
                return new Text(256).add("enter a cgroup: ").addError(-result);
            }
        }
        return null;
    }

    private static void complain(Text text) {
        Text line = new Text(320).add("berth-shim: ").add(text).add("\n");
        Files.writeAll(2, line.array(), 0, line.length());
    }
}
