package io.berth.runtime.sandbox;

import io.berth.cri.v1.ContainerEventType;
import io.berth.runtime.events.Events;
import io.berth.runtime.state.Durability;
import io.berth.runtime.state.SandboxPhase;
import java.time.Clock;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CRI {@code StopPodSandbox} and {@code RemovePodSandbox}. Both succeed where there is nothing left to do. */
final class EndSandbox {
    private static final Logger log = LoggerFactory.getLogger(EndSandbox.class);

    private final Sandboxes sandboxes;
    private final PodContainers containers;
    private final SandboxParts parts;
    private final Events events;
    private final Clock clock;

    EndSandbox(Sandboxes sandboxes, PodContainers containers, SandboxParts parts, Events events,
            Clock clock) {
        this.sandboxes = sandboxes;
        this.containers = containers;
        this.parts = parts;
        this.events = events;
        this.clock = clock;
    }

    /** Ends the sandbox's containers and everything that it is made of; its record stays. */
    void stop(String idOrPrefix) throws Exception {
        Optional<Sandbox> sandbox = sandboxes.find(idOrPrefix);
        if (sandbox.isPresent()) {
            sandbox.get().exclusively(() -> {
                stopLocked(sandbox.get());
                return true;
            });
        }
    }

    /** Stops the sandbox, then removes its containers and its record. */
    void remove(String idOrPrefix) throws Exception {
        Optional<Sandbox> sandbox = sandboxes.find(idOrPrefix);
        if (sandbox.isPresent()) {
            sandbox.get().exclusively(() -> {
                removeLocked(sandbox.get());
                return true;
            });
        }
    }

    private void stopLocked(Sandbox sandbox) throws Exception {
        SandboxPhase phase = sandbox.record().phase();
        if (phase == SandboxPhase.STOPPED || sandboxes.find(sandbox.id()).isEmpty()) {
            return;
        }
        if (phase == SandboxPhase.READY) {
            sandboxes.update(sandbox, Durability.DAEMON_CRASH,
                    record -> record.withPhase(SandboxPhase.STOPPING));
        }
        containers.killAll(sandbox.id());
        parts.takeApart(sandbox);
        if (phase != SandboxPhase.REMOVING) {
            sandboxes.update(sandbox, Durability.POWER_LOSS,
                    record -> record.withPhase(SandboxPhase.STOPPED));
        }
        events.publish(ContainerEventType.CONTAINER_STOPPED_EVENT, sandbox.id(), sandbox.id(),
                clock.instant());
        log.atInfo().addKeyValue("sandbox", sandbox.id()).log("sandbox is stopped");
    }

    private void removeLocked(Sandbox sandbox) throws Exception {
        if (sandboxes.find(sandbox.id()).isEmpty()) {
            return;
        }
        stopLocked(sandbox);
        sandboxes.update(sandbox, Durability.DAEMON_CRASH, record -> record.withPhase(SandboxPhase.REMOVING));
        containers.removeAll(sandbox.id());
        parts.removeCgroup(sandbox.record());
        sandboxes.forget(sandbox);
        events.publish(ContainerEventType.CONTAINER_DELETED_EVENT, sandbox.id(), sandbox.id(),
                clock.instant());
        log.atInfo().addKeyValue("sandbox", sandbox.id()).log("sandbox is removed");
    }
}
