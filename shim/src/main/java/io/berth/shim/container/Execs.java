package io.berth.shim.container;

import io.berth.shim.libc.EventLoop;
import org.jspecify.annotations.Nullable;

/** The processes that are being executed in the container; their table grows to its limit and is used again. */
final class Execs {
    static final int MAX = 64;

    private final Supervisor supervisor;
    private final EventLoop loop;
    private final @Nullable Exec[] execs = new @Nullable Exec[MAX];
    private int counter;

    Execs(Supervisor supervisor, EventLoop loop) {
        this.supervisor = supervisor;
        this.loop = loop;
    }

    /** Begins to execute the process of a file; false where the table is full. */
    boolean start(Connection client, int flags, byte[] bytes, int nameOffset, int nameLength) {
        for (int i = 0; i < MAX; i++) {
            Exec exec = execs[i];
            if (exec == null) {
                exec = new Exec(supervisor, loop, i);
                execs[i] = exec;
            }
            if (!exec.isBusy()) {
                exec.start(++counter, client, flags, bytes, nameOffset, nameLength);
                return true;
            }
        }
        return false;
    }

    /** The process of a session that goes on. */
    @Nullable
    Exec find(int id) {
        for (int i = 0; i < MAX; i++) {
            Exec exec = execs[i];
            if (exec != null && exec.isBusy() && exec.id() == id) {
                return exec;
            }
        }
        return null;
    }
}
