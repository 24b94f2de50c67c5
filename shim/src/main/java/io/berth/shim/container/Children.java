package io.berth.shim.container;

import io.berth.shim.libc.EventLoop;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Signals;
import io.berth.shim.libc.Source;
import io.berth.shim.wire.Wire;
import org.jspecify.annotations.Nullable;
import org.teavm.interop.Address;

/**
 * Reaps. The processes that an OCI runtime leaves behind become children here without their pid being known yet; while one
 * of those is awaited, strangers are left as zombies, so that no exit status is lost.
 */
final class Children extends Source {
    /** Code 255. */
    private static final int UNKNOWN_STATUS = 255 << 8;

    /** A process whose end somebody wants to know. */
    abstract static class Child {
        private int pid;

        int pid() {
            return pid;
        }

        boolean isAlive() { return pid > 0; }

        /** @param status as {@code waitpid} gives it */
        abstract void exited(int status);
    }

    private final @Nullable Child[] children;
    private final byte[] status = new byte[4];
    private final byte[] signals = new byte[Signals.SIGINFO_BYTES];
    private int awaited;

    Children(int capacity) {
        children = new @Nullable Child[capacity];
    }

    void open(EventLoop loop) {
        own(Signals.childDescriptor());
        loop.watch(this, Libc.EPOLLIN);
    }

    /** A runtime was started that will leave a process behind, to be {@link #add}ed once its pid is known. */
    void awaitStranger() {
        awaited++;
    }

    /** The stranger was added, or will not come. */
    void strangerCame() {
        awaited--;
    }

    /** False where the table is full. */
    boolean add(Child child, int pid) {
        for (int i = 0; i < children.length; i++) {
            if (children[i] == null) {
                children[i] = child;
                child.pid = pid;
                return true;
            }
        }
        return false;
    }

    /**
     * Looks after a child that was just added: it may have ended already, or somebody else may have reaped it, and then nobody
     * knows how it ended.
     */
    void check(Child child) {
        if (!child.isAlive()) {
            return;
        }
        int result = Libc.waitpid(child.pid, Address.ofData(status), Libc.WNOHANG);
        if (result == 0) {
            return;
        }
        if (result < 0) {
            Wire.putIntLittle(status, 0, UNKNOWN_STATUS);
        }
        for (int i = 0; i < children.length; i++) {
            Child known = children[i];
            if (known != null && known.pid == child.pid) {
                ended(i, known);
                return;
            }
        }
    }

    @Override
    public void ready(int events) {
        while (Libc.read(fd(), Address.ofData(signals), signals.length) > 0) {
            // One signal may stand for many children: waitpid says which.
        }
        while (awaited == 0 ? reapAny() : reapKnown()) {
            // An exit can make a pid known whose process has ended already.
        }
    }

    private boolean reapAny() {
        int pid = Libc.waitpid(-1, Address.ofData(status), Libc.WNOHANG);
        if (pid <= 0) {
            return false;
        }
        for (int i = 0; i < children.length; i++) {
            Child child = children[i];
            if (child != null && child.pid == pid) {
                ended(i, child);
                return true;
            }
        }
        return true;
    }

    private boolean reapKnown() {
        boolean reaped = false;
        for (int i = 0; i < children.length; i++) {
            Child child = children[i];
            if (child != null && Libc.waitpid(child.pid, Address.ofData(status), Libc.WNOHANG) == child.pid) {
                ended(i, child);
                reaped = true;
            }
        }
        return reaped;
    }

    private void ended(int index, Child child) {
        children[index] = null;
        child.pid = 0;
        child.exited(Wire.intLittle(status, 0));
    }

    /** Exit code as a shell has it: 128 + n for signal n. */
    static int code(int status) {
        int signal = signal(status);
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal;
    }

    /** The signal that ended the process, or 0. */
    static int signal(int status) {
        return status & 0x7f;
    }
}
