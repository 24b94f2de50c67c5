package io.berth.runtime.events;

import io.berth.cri.v1.ContainerEventType;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Hands every event to every subscriber, through a queue of its own: a slow one holds back nobody. */
public final class EventHub implements Events {
    /** Enough for every container of a full node to start and stop while a subscriber sleeps. */
    private static final int QUEUE_LIMIT = 10_000;

    private final Set<Subscription> subscriptions = ConcurrentHashMap.newKeySet();

    /** One event. */
    public record Event(ContainerEventType type, String id, String sandboxId, Instant at) {}

    @Override
    public void publish(ContainerEventType type, String id, String sandboxId, Instant at) {
        Event event = new Event(type, id, sandboxId, at);
        subscriptions.forEach(subscription -> subscription.offer(event));
    }

    /** Everything from now on; to be closed. */
    public Subscription subscribe() {
        Subscription subscription = new Subscription();
        subscriptions.add(subscription);
        return subscription;
    }

    /** One subscriber's queue. */
    public final class Subscription implements AutoCloseable {
        private final BlockingQueue<Event> queue = new LinkedBlockingQueue<>(QUEUE_LIMIT);
        private volatile boolean overrun;

        private Subscription() {}

        /** The next event; empty where none comes within {@code limit}. */
        public Optional<Event> next(Duration limit) throws InterruptedException {
            return Optional.ofNullable(queue.poll(limit.toMillis(), TimeUnit.MILLISECONDS));
        }

        /** Whether events were lost because this subscriber was too slow: it must list everything anew. */
        public boolean overrun() {
            return overrun;
        }

        @Override
        public void close() {
            subscriptions.remove(this);
        }

        private void offer(Event event) {
            if (!queue.offer(event)) {
                overrun = true;
            }
        }
    }
}
