package io.berth.runtime.lifecycle;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Creations under way, by name. A second caller with the same name and request waits for the first one's result, so that
 * a retry of a caller that gave up never makes a second object and never finds its name taken.
 *
 * @param <R> the request; equal requests want the same object
 * @param <T> the result
 */
public final class InFlight<R, T> {
    private final ConcurrentHashMap<String, Attempt<R, T>> attempts = new ConcurrentHashMap<>();
    private final Duration limit;

    /** @param limit how long a second caller waits for the first */
    public InFlight(Duration limit) {
        this.limit = limit;
    }

    /**
     * Runs {@code work}, or waits for the equal request with this name that runs already, and gives its result or its
     * failure. An unequal request with the same name waits until the first is done, then runs.
     */
    public T run(String name, R request, Callable<T> work) throws Exception {
        Attempt<R, T> mine = new Attempt<>(request, new CompletableFuture<>());
        while (true) {
            @Nullable
            Attempt<R, T> other = attempts.putIfAbsent(name, mine);
            if (other == null) {
                return runMine(name, mine, work);
            }
            if (other.request.equals(request)) {
                return await(name, other);
            }
            awaitEnd(name, other);
        }
    }

    private T runMine(String name, Attempt<R, T> mine, Callable<T> work) throws Exception {
        try {
            T result = work.call();
            mine.result.complete(result);
            return result;
        } catch (Exception | Error e) {
            mine.result.completeExceptionally(e);
            throw e;
        } finally {
            attempts.remove(name, mine);
        }
    }

    /** Waits for another's end, whatever it is. */
    private void awaitEnd(String name, Attempt<R, T> other) throws LifecycleException, InterruptedException {
        try {
            other.result.handle((result, failure) -> true).get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw timeout(name, e);
        } catch (ExecutionException e) {
            throw new IllegalStateException("handle() above has no failure", e);
        }
    }

    private LifecycleException timeout(String name, TimeoutException cause) {
        return new LifecycleException(LifecycleException.Kind.TIMEOUT, "an earlier request to create " + name
                + " is still under way after " + limit.toSeconds() + " s; try again later", cause);
    }

    private T await(String name, Attempt<R, T> other) throws Exception {
        try {
            return other.result.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw timeout(name, e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Exception cause) {
                throw cause;
            }
            throw e;
        }
    }

    private record Attempt<R, T>(R request, CompletableFuture<T> result) {}
}
