package io.berth.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A handle on one process, which its number's reuse cannot redirect ({@code pidfd_open(2)}). Need not be a child. */
public final class PidFd implements AutoCloseable {
    private static final short POLLIN = 1;

    static {
        Native.register(PidFd.class, "c");
    }

    private final long pid;
    private final Fd fd;

    private PidFd(long pid, Fd fd) {
        this.pid = pid;
        this.fd = fd;
    }

    /**
     * Opens the process that has the number {@code pid} now; ESRCH where none has. To be sure that it is the one that was meant,
     * compare {@link ProcessIdentity} after opening.
     */
    public static PidFd open(long pid) throws LinuxException {
        long fd = SystemCalls.syscall(SystemCalls.PIDFD_OPEN, pid, 0, 0, 0, 0, 0);
        if (fd < 0) {
            throw SystemCalls.failure("pidfd_open", pid);
        }
        return new PidFd(pid, new Fd((int) fd));
    }

    /** The process's number. */
    public long pid() {
        return pid;
    }

    /**
     * Sends {@code signal}.
     *
     * @return false where the process has ended already
     */
    public boolean signal(int signal) throws LinuxException {
        if (SystemCalls.syscall(SystemCalls.PIDFD_SEND_SIGNAL, fd.number(), signal, 0, 0, 0, 0) == 0) {
            return true;
        }
        LinuxException e = SystemCalls.failure("pidfd_send_signal", pid + " signal " + signal);
        if (e.errno() == Errno.ESRCH) {
            return false;
        }
        throw e;
    }

    /** Whether the process has ended; its parent need not have waited for it. */
    public boolean exited() throws LinuxException {
        try (Memory pollfd = new Memory(8)) {
            pollfd.setInt(0, fd.number());
            pollfd.setShort(4, POLLIN);
            pollfd.setShort(6, (short) 0);
            int ready = poll(pollfd, 1, 0);
            if (ready < 0) {
                throw SystemCalls.failure("poll", "pidfd of " + pid);
            }
            return ready > 0;
        }
    }

    /** Completes when the process ends, on a thread of this class: continue elsewhere with what takes time. */
    public CompletableFuture<Void> onExit() throws LinuxException {
        return ExitWatcher.instance().watch(fd.number(), pid);
    }

    /**
     * Waits for the end of the process. A virtual thread gives its carrier free meanwhile.
     *
     * @return false where {@code atMost} has passed first
     */
    public boolean awaitExit(Duration atMost) throws LinuxException, InterruptedException {
        if (exited()) {
            return true;
        }
        CompletableFuture<Void> exit = onExit();
        try {
            exit.get(atMost.toNanos(), TimeUnit.NANOSECONDS);
            return true;
        } catch (TimeoutException e) {
            return exited();
        } catch (ExecutionException e) {
            throw new IllegalStateException("waiting for process " + pid, e);
        } finally {
            exit.cancel(false);
        }
    }

    /** The descriptor, for a poll together with others. */
    int fd() {
        return fd.number();
    }

    @Override
    public void close() {
        fd.close();
    }

    private static native int poll(Memory fds, long count, int timeoutMillis);
}
