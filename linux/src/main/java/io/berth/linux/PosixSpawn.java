package io.berth.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.StringArray;
import com.sun.jna.ptr.IntByReference;
import java.util.List;
import java.util.Map;

/** {@code posix_spawn(3)} and what ends a child. Needs glibc 2.34. */
final class PosixSpawn {
    private static final int SIGKILL = 9;

    static {
        Native.register(PosixSpawn.class, "c");
    }

    private PosixSpawn() {}

    /** Starts {@code command} as the leader of its own process group, with these streams and no other descriptor. */
    static int start(List<String> command, Map<String, String> environment, Pipes pipes)
            throws LinuxException {
        try (SpawnAttributes attributes = new SpawnAttributes(pipes)) {
            String[] variables = environment.entrySet().stream().map(e -> e.getKey() + "=" + e.getValue())
                    .toArray(String[]::new);
            IntByReference pid = new IntByReference();
            int error = posix_spawn(pid, SystemCalls.cString(command.getFirst()), attributes.actions(),
                    attributes.attributes(), new StringArray(command.toArray(String[]::new), "UTF-8"),
                    new StringArray(variables, "UTF-8"));
            if (error != 0) {
                throw new LinuxException("exec", command.getFirst(), error);
            }
            return pid.getValue();
        }
    }

    /** Ends the process group that {@code leader} leads; the leader must not have been reaped, or the number may be another's. */
    static void killGroup(int leader) {
        killpg(leader, SIGKILL);
    }

    /** Waits for a child; gives its exit code, or 128 plus the signal that ended it. */
    static int reap(int pid) throws LinuxException {
        IntByReference status = new IntByReference();
        while (waitpid(pid, status, 0) < 0) {
            LinuxException e = SystemCalls.failure("waitpid", pid);
            if (e.errno() != Errno.EINTR) {
                throw e;
            }
        }
        int signal = status.getValue() & 0x7f;
        return signal == 0 ? status.getValue() >> 8 & 0xff : 128 + signal;
    }

    private static native int posix_spawn(IntByReference pid, byte[] path, Pointer actions,
            Pointer attributes,
            Pointer arguments, Pointer environment);

    private static native int waitpid(int pid, IntByReference status, int options);

    private static native int killpg(int group, int signal);

    /** The two opaque structures of {@code posix_spawn}. */
    private static final class SpawnAttributes implements AutoCloseable {
        // glibc has 80 and 336 bytes on 64-bit machines.
        private static final int SIZE = 512;
        private static final int SIGSET_SIZE = 128;
        private static final short SETPGROUP_SETSIGDEF_SETSIGMASK = 0x02 | 0x04 | 0x08;

        static {
            Native.register(SpawnAttributes.class, "c");
        }

        private final Memory actions = new Memory(SIZE);
        private final Memory attributes = new Memory(SIZE);

        SpawnAttributes(Pipes pipes) throws LinuxException {
            checked(posix_spawn_file_actions_init(actions));
            checked(posix_spawnattr_init(attributes));
            checked(posix_spawn_file_actions_adddup2(actions, pipes.childInput(), 0));
            checked(posix_spawn_file_actions_adddup2(actions, pipes.childOutput(), 1));
            checked(posix_spawn_file_actions_adddup2(actions, pipes.childError(), 2));
            // Not everything that a JVM opens is close-on-exec.
            checked(posix_spawn_file_actions_addclosefrom_np(actions, 3));
            try (Memory none = new Memory(SIGSET_SIZE); Memory all = new Memory(SIGSET_SIZE)) {
                none.clear();
                all.setMemory(0, SIGSET_SIZE, (byte) 0xff);
                checked(posix_spawnattr_setsigmask(attributes, none));
                checked(posix_spawnattr_setsigdefault(attributes, all));
            }
            checked(posix_spawnattr_setpgroup(attributes, 0));
            checked(posix_spawnattr_setflags(attributes, SETPGROUP_SETSIGDEF_SETSIGMASK));
        }

        Pointer actions() {
            return actions;
        }

        Pointer attributes() {
            return attributes;
        }

        @Override
        public void close() {
            posix_spawn_file_actions_destroy(actions);
            posix_spawnattr_destroy(attributes);
            actions.close();
            attributes.close();
        }

        private static void checked(int error) throws LinuxException {
            if (error != 0) {
                throw new LinuxException("posix_spawn attributes", null, error);
            }
        }

        private static native int posix_spawn_file_actions_init(Pointer actions);

        private static native int posix_spawn_file_actions_destroy(Pointer actions);

        private static native int posix_spawn_file_actions_adddup2(Pointer actions, int from, int to);

        private static native int posix_spawn_file_actions_addclosefrom_np(Pointer actions, int from);

        private static native int posix_spawnattr_init(Pointer attributes);

        private static native int posix_spawnattr_destroy(Pointer attributes);

        private static native int posix_spawnattr_setsigmask(Pointer attributes, Pointer set);

        private static native int posix_spawnattr_setsigdefault(Pointer attributes, Pointer set);

        private static native int posix_spawnattr_setpgroup(Pointer attributes, int group);

        private static native int posix_spawnattr_setflags(Pointer attributes, short flags);
    }
}
