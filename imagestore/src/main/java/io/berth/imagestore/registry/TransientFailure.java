package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A failure that may be gone with the next attempt. */
final class TransientFailure extends Exception {
    private static final long serialVersionUID = 1;

    private final transient @Nullable Duration retryAfter;

    /** @param retryAfter how long the registry asks to wait; null where it does not say */
    TransientFailure(String message, @Nullable Duration retryAfter, @Nullable Throwable cause) {
        super(message, cause);
        this.retryAfter = retryAfter;
    }

    @Nullable
    Duration retryAfter() {
        return retryAfter;
    }

    ImageException afterAttempts(int attempts) {
        return new ImageException(Kind.UNAVAILABLE,
                getMessage() + (attempts > 1 ? " (gave up after " + attempts + " attempts)" : ""), this);
    }
}
