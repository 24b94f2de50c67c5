package io.berth.linux;

import com.sun.jna.Native;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** Work with mounts that nobody else sees, and that are gone when it ends, however it ends. */
public final class PrivateMounts {
    static {
        Native.register(PrivateMounts.class, "c");
    }

    private PrivateMounts() {}

    /**
     * Runs {@code body} on a thread with a copy of this process's mount namespace, out of which nothing propagates, and gives
     * back what it returns (a {@link DetachedMount} may be attached outside) or throws what it throws. As of
     * {@link Namespaces}, the body must not start threads or processes.
     */
    public static <T> T call(Callable<T> body) throws IOException {
        FutureTask<T> task = new FutureTask<>(() -> {
            if (unshare(NamespaceType.MOUNT.flag()) != 0) {
                throw SystemCalls.failure("unshare", "mount namespace");
            }
            Mounts.makePrivate(Path.of("/"), true);
            return body.call();
        });
        Thread thread = Thread.ofPlatform().name("private-mounts").unstarted(task);
        thread.start();
        // For its end and not for the result: a thread that wakes another one might start a carrier in here.
        boolean interrupted = join(thread);
        try {
            return task.get();
        } catch (ExecutionException e) {
            throw Namespaces.carriedOver(e.getCause() == null ? e : e.getCause());
        } catch (InterruptedException e) {
            throw new IllegalStateException("the thread has ended, so the task is done", e);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static boolean join(Thread thread) {
        boolean interrupted = Thread.interrupted();
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        return interrupted;
    }

    private static native int unshare(int flags);
}
