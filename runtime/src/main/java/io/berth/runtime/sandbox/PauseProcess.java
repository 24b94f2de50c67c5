package io.berth.runtime.sandbox;

import io.berth.linux.Errno;
import io.berth.linux.LinuxException;
import io.berth.linux.PidFd;
import io.berth.linux.ProcessIdentity;
import io.berth.runtime.state.SandboxRecord.Pause;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/** PID 1 of a pod-shared PID namespace, told from a later process with its pid by its start time. */
final class PauseProcess {
    private static final Duration END_LIMIT = Duration.ofSeconds(10);
    private static final int SIGKILL = 9;

    private PauseProcess() {}

    /** The identity of the live process {@code pid}. */
    static Pause identify(long pid) throws IOException {
        return ProcessIdentity.of(pid).map(process -> new Pause(process.pid(), process.startTicks()))
                .orElseThrow(
                        () -> new IOException("the pause process " + pid + " ended as soon as it began"));
    }

    static boolean alive(Pause pause) throws IOException {
        Optional<PidFd> process = open(pause);
        if (process.isEmpty()) {
            return false;
        }
        try (PidFd open = process.get()) {
            return !open.exited();
        }
    }

    /** Ends it, and with it, as PID 1, every process of the namespace. Not there is success. */
    static void end(Pause pause) throws IOException, InterruptedException {
        Optional<PidFd> process = open(pause);
        if (process.isEmpty()) {
            return;
        }
        try (PidFd open = process.get()) {
            open.signal(SIGKILL);
            if (!open.awaitExit(END_LIMIT)) {
                throw new IOException("the pause process " + pause.pid() + " is still there "
                        + END_LIMIT.toSeconds()
                        + " s after SIGKILL: a process of the pod may be in uninterruptible sleep");
            }
        }
    }

    /** A handle on this very process; empty where it is gone, whoever has its number now. */
    private static Optional<PidFd> open(Pause pause) throws IOException {
        PidFd process;
        try {
            process = PidFd.open(pause.pid());
        } catch (LinuxException e) {
            if (e.errno() == Errno.ESRCH) {
                return Optional.empty();
            }
            throw e;
        }
        if (new ProcessIdentity(pause.pid(), pause.startTicks()).present()) {
            return Optional.of(process);
        }
        process.close();
        return Optional.empty();
    }
}
