package io.berth.runtime.lifecycle;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.jspecify.annotations.Nullable;

/** Runs steps that do not need each other at the same time, each on a virtual thread, the last one on the caller's. */
public final class Together {
    private Together() {}

    /** A step without a result. */
    public interface Step {
        void run() throws Exception;
    }

    /**
     * Runs all steps and returns when every one has ended, so that nothing runs on behind a rollback.
     *
     * @throws Exception the first failure, in the order of {@code steps}; further ones are suppressed in it
     */
    public static void run(List<? extends Step> steps) throws Exception {
        List<FutureTask<@Nullable Void>> tasks = new ArrayList<>();
        for (Step step : steps) {
            tasks.add(new FutureTask<>(asCallable(step)));
        }
        for (FutureTask<@Nullable Void> task : tasks.subList(0, Math.max(0, tasks.size() - 1))) {
            Thread.startVirtualThread(task);
        }
        if (!tasks.isEmpty()) {
            tasks.getLast().run();
        }
        @Nullable
        Exception failure = null;
        for (FutureTask<@Nullable Void> task : tasks) {
            @Nullable
            Exception cause = awaitEnd(task);
            if (failure == null) {
                failure = cause;
            } else if (cause != null) {
                failure.addSuppressed(cause);
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    /** Waits, interrupted or not: what is undone after a failure must not still be in the making. */
    private static @Nullable Exception awaitEnd(FutureTask<@Nullable Void> task) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    task.get();
                    return null;
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    return e.getCause() instanceof Exception exception ? exception : e;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static Callable<@Nullable Void> asCallable(Step step) {
        return () -> {
            step.run();
            return null;
        };
    }
}
