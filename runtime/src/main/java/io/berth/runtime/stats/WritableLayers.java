package io.berth.runtime.stats;

import io.berth.imagestore.Images;
import io.berth.imagestore.Snapshots;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * How large containers' writable layers are. Measuring walks a tree that may be huge, so it runs in the background and
 * its last result is given; only the first one is waited for, and briefly.
 */
final class WritableLayers {
    private static final Duration FRESH = Duration.ofSeconds(10);
    private static final Duration FIRST_LIMIT = Duration.ofSeconds(1);

    private final Snapshots snapshots;
    private final Clock clock;
    private final Map<String, Measured> last = new ConcurrentHashMap<>();
    private final Map<String, CompletableFuture<Measured>> running = new ConcurrentHashMap<>();

    WritableLayers(Snapshots snapshots, Clock clock) {
        this.snapshots = snapshots;
        this.clock = clock;
    }

    /**
     * What was measured, and when.
     *
     * @param monotonicNanos the same moment by the clock that nobody sets: by that it grows old
     */
    record Measured(Instant at, long monotonicNanos, Images.Usage usage) {
        private boolean fresh() {
            return System.nanoTime() - monotonicNanos < FRESH.toNanos();
        }
    }

    /** The newest measurement; empty where the first one takes too long. */
    Optional<Measured> usage(String containerId) {
        Optional<Measured> known = Optional.ofNullable(last.get(containerId));
        if (known.isPresent() && known.get().fresh()) {
            return known;
        }
        CompletableFuture<Measured> measuring = running.computeIfAbsent(containerId, this::measure);
        return known.isPresent() ? known : first(measuring);
    }

    /** Forgets all others. */
    void retainAll(Collection<String> containerIds) {
        last.keySet().retainAll(containerIds);
    }

    private CompletableFuture<Measured> measure(String containerId) {
        CompletableFuture<Measured> result = new CompletableFuture<>();
        Thread.startVirtualThread(() -> {
            try {
                Measured measured = new Measured(clock.instant(), System.nanoTime(),
                        snapshots.usage(containerId));
                last.put(containerId, measured);
                result.complete(measured);
            } catch (RuntimeException e) {
                result.completeExceptionally(e);
            } finally {
                running.remove(containerId, result);
            }
        });
        return result;
    }

    private static Optional<Measured> first(CompletableFuture<Measured> measuring) {
        try {
            return Optional.of(measuring.get(FIRST_LIMIT.toMillis(), TimeUnit.MILLISECONDS));
        } catch (TimeoutException | ExecutionException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }
}
