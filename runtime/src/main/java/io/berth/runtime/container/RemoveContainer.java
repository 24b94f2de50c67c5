package io.berth.runtime.container;

import io.berth.cri.v1.ContainerEventType;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.state.ContainerPhase;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CRI {@code RemoveContainer}: ends it where it runs, deletes all that belongs to it but its log, forgets it. */
final class RemoveContainer {
    private static final Logger log = LoggerFactory.getLogger(RemoveContainer.class);

    private final ContainerDeps deps;
    private final ContainerParts parts;
    private final StopContainer stop;

    RemoveContainer(ContainerDeps deps, ContainerParts parts, StopContainer stop) {
        this.deps = deps;
        this.parts = parts;
        this.stop = stop;
    }

    /** Absent is success. */
    void remove(String idOrPrefix) throws Exception {
        Optional<Container> container = deps.containers().find(idOrPrefix);
        if (container.isPresent()) {
            remove(container.get());
        }
    }

    void remove(Container container) throws Exception {
        stop.stop(container, Duration.ZERO);
        container.exclusively(() -> {
            if (deps.containers().find(container.id()).isPresent()) {
                removeLocked(container);
            }
            return true;
        });
    }

    private void removeLocked(Container container) throws Exception {
        deps.containers().update(container, record -> record.withPhase(ContainerPhase.REMOVING));
        Duration limit = deps.config().timeouts().oci().plus(deps.config().timeouts().shim());
        if (!container.awaitCleanRelease(limit)) {
            parts.deleteRuntimeState(container.record());
        }
        parts.deleteFiles(container.id());
        deps.containers().forget(container);
        deps.containers().publish(ContainerEventType.CONTAINER_DELETED_EVENT, container,
                Times.nanos(deps.clock().instant()));
        log.atInfo().addKeyValue("container", container.id()).log("container is removed");
    }
}
