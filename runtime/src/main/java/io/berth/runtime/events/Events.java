package io.berth.runtime.events;

import io.berth.cri.v1.ContainerEventType;
import java.time.Instant;

/** Told of every step in the life of a sandbox or container, after it is in memory. Never blocks, never throws. */
public interface Events {
    /**
     * @param id the container's id, or the sandbox's where the event is about the sandbox itself
     * @param sandboxId the sandbox that it belongs to
     */
    void publish(ContainerEventType type, String id, String sandboxId, Instant at);
}
