package io.berth.linux;

import com.sun.jna.Native;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicReference;

/** Work with short relative paths, for calls that limit the length of theirs. */
public final class WorkingDirectory {
    private static final int CLONE_FS = 0x200;

    static {
        Native.register(WorkingDirectory.class, "c");
    }

    /** What is to be done there. */
    @FunctionalInterface
    public interface Action {
        void run() throws LinuxException;
    }

    private WorkingDirectory() {}

    /**
     * Runs {@code action} on a thread whose working directory is {@code directory}; no other thread sees that. The thread
     * is in the caller's namespaces only where the caller has not left the process' own.
     *
     * @throws LinuxException what the action throws, or where the directory cannot be entered
     */
    public static void with(Path directory, Action action) throws LinuxException {
        AtomicReference<LinuxException> failure = new AtomicReference<>();
        AtomicReference<Throwable> fault = new AtomicReference<>();
        Thread thread = Thread.ofPlatform().name("in-" + directory.getFileName()).unstarted(() -> {
            try {
                enter(directory);
                action.run();
            } catch (LinuxException e) {
                failure.set(e);
            } catch (RuntimeException | Error e) {
                fault.set(e);
            }
        });
        thread.start();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (failure.get() != null) {
            throw failure.get();
        }
        if (fault.get() != null) {
            throw new IllegalStateException("cannot work in " + directory, fault.get());
        }
    }

    /** The thread keeps its own working directory from now on, and ends with it. */
    private static void enter(Path directory) throws LinuxException {
        if (unshare(CLONE_FS) != 0) {
            throw new LinuxException("unshare", "CLONE_FS", Native.getLastError());
        }
        if (chdir(RawPath.of(directory).terminated()) != 0) {
            throw new LinuxException("chdir", directory.toString(), Native.getLastError());
        }
    }

    private static native int unshare(int flags);

    private static native int chdir(byte[] path);
}
