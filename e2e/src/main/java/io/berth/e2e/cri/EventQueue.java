package io.berth.e2e.cri;

import io.berth.cri.v1.ContainerEventResponse;
import io.berth.cri.v1.ContainerEventType;
import io.berth.cri.v1.GetEventsRequest;
import io.berth.cri.v1.VersionRequest;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.Iterator;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The container events of a server, from now on and until the connection ends. */
public final class EventQueue {
    /** The server subscribes when the call has arrived there, and does not say so; other calls of then are answered by now. */
    private static final Duration SUBSCRIPTION = Duration.ofMillis(200);

    private final LinkedBlockingQueue<ContainerEventResponse> events = new LinkedBlockingQueue<>();

    public EventQueue(Cri cri) {
        Iterator<ContainerEventResponse> stream = cri.runtime()
                .getContainerEvents(GetEventsRequest.getDefaultInstance());
        Thread.ofVirtual().name("events").start(() -> {
            try {
                stream.forEachRemaining(events::add);
            } catch (StatusRuntimeException e) {
                // The server or the test has ended: who waits for an event hears of its absence.
            }
        });
        cri.runtime().version(VersionRequest.getDefaultInstance());
        sleep(SUBSCRIPTION);
    }

    /** The event of the end of the container {@code id}; those before it are dropped. */
    public ContainerEventResponse awaitEnd(String id, Duration limit) {
        long end = System.nanoTime() + limit.toNanos();
        try {
            while (System.nanoTime() < end) {
                ContainerEventResponse event = events.poll(100, TimeUnit.MILLISECONDS);
                if (event != null && event.getContainerId().equals(id)
                        && event.getContainerEventType() == ContainerEventType.CONTAINER_STOPPED_EVENT) {
                    return event;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        throw new AssertionError("no event of the end of container " + id + " within " + limit);
    }

    private static void sleep(Duration time) {
        try {
            Thread.sleep(time);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
