package io.berth.imagestore.store;

import io.berth.imagestore.registry.Resolved;
import java.util.concurrent.atomic.AtomicInteger;

/** An image's source that stays open until its pull and every layer that is read from it are done. */
final class SharedSource {
    private final Resolved resolved;
    private final AtomicInteger users = new AtomicInteger(1);

    SharedSource(Resolved resolved) {
        this.resolved = resolved;
    }

    Resolved resolved() {
        return resolved;
    }

    /** One more user; each calls {@link #release} once. */
    SharedSource retain() {
        users.incrementAndGet();
        return this;
    }

    void release() {
        if (users.decrementAndGet() == 0) {
            resolved.close();
        }
    }
}
