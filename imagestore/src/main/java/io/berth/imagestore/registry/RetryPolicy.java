package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * How often and how soon to try again.
 *
 * @param attempts at least 1
 * @param firstPause doubles with each attempt, spread by chance so that many nodes do not come back at once
 * @param longestPause never waits longer
 */
record RetryPolicy(int attempts, Duration firstPause, Duration longestPause) {
    @FunctionalInterface
    interface Attempt<T> {
        T make() throws ImageException, TransientFailure;
    }

    <T> T run(Attempt<T> attempt) throws ImageException {
        for (int made = 1;; made++) {
            try {
                return attempt.make();
            } catch (TransientFailure e) {
                pauseAfter(e, made);
            }
        }
    }

    /** Waits before the attempt that follows {@code made} failed ones, or throws where there shall be none. */
    void pauseAfter(TransientFailure failure, int made) throws ImageException {
        if (made >= attempts) {
            throw failure.afterAttempts(made);
        }
        Duration wanted = failure.retryAfter();
        if (wanted != null && wanted.compareTo(longestPause) > 0) {
            throw new ImageException(Kind.UNAVAILABLE, failure.getMessage() + " (it asks to wait "
                    + wanted.toSeconds() + " s, which is longer than a pull waits)", failure);
        }
        long doubled = firstPause.toMillis() << Math.min(made - 1, 16);
        long limit = Math.max(1, Math.min(doubled, longestPause.toMillis()));
        long pause = limit / 2 + ThreadLocalRandom.current().nextLong(limit / 2 + 1);
        try {
            Thread.sleep(Math.max(pause, wanted == null ? 0 : wanted.toMillis()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ImageException(Kind.CANCELLED, "cancelled while waiting to try again: "
                    + failure.getMessage(), e);
        }
    }
}
