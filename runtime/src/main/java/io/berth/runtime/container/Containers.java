package io.berth.runtime.container;

import io.berth.cri.v1.ContainerEventType;
import io.berth.runtime.events.Events;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.shim.Shim;
import io.berth.runtime.state.ContainerPhase;
import io.berth.runtime.state.ContainerRecord;
import io.berth.runtime.state.Durability;
import io.berth.runtime.state.IdIndex;
import io.berth.runtime.state.StateException;
import io.berth.runtime.state.StateStore;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Every container, and the only place that changes one. Changes are made under the container's lock. */
public final class Containers {
    private static final Logger log = LoggerFactory.getLogger(Containers.class);

    private final StateStore store;
    private final Events events;
    private final Duration lockLimit;
    private final IdIndex<Container> index = new IdIndex<>();
    private volatile boolean lettingGo;

    /** @param lockLimit how long a call waits for another call on the same container */
    public Containers(StateStore store, Events events, Duration lockLimit) {
        this.store = store;
        this.events = events;
        this.lockLimit = lockLimit;
    }

    /** The container of an id or unique prefix; not one whose creation is still under way. */
    public Optional<Container> find(String idOrPrefix) {
        return index.find(idOrPrefix).filter(Containers::visible);
    }

    /** As {@link #find}, with NOT_FOUND where there is none. */
    public Container require(String idOrPrefix) throws LifecycleException {
        if (idOrPrefix.isEmpty()) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, "container_id is empty");
        }
        return find(idOrPrefix).orElseThrow(() -> new LifecycleException(LifecycleException.Kind.NOT_FOUND,
                "container \"" + idOrPrefix + "\" not found"));
    }

    /** Every container but those whose creation is under way. */
    public List<Container> all() {
        return index.values().stream().filter(Containers::visible).toList();
    }

    /** Ids of all containers, those whose creation is under way too. */
    Set<String> ids() {
        return index.values().stream().map(Container::id).collect(Collectors.toSet());
    }

    /** Those of one sandbox. */
    public List<Container> ofSandbox(String sandboxId) {
        return all().stream().filter(container -> container.sandbox().id().equals(sandboxId)).toList();
    }

    /** A container of this name that has been created and has not ended. */
    Optional<Container> aliveByName(String nameKey) {
        return all().stream().filter(container -> switch (container.record().phase()) {
            case CREATED, RUNNING -> container.record().nameKey().equals(nameKey);
            case CREATING, EXITED, REMOVING -> false;
        }).findFirst();
    }

    /** A container that the database has already. */
    Container restore(ContainerRecord record, Sandbox sandbox) {
        Container container = new Container(record, sandbox, lockLimit);
        index.put(record.id(), container);
        return container;
    }

    /** Records the intent to make a container. */
    Container add(ContainerRecord record, Sandbox sandbox) throws StateException {
        store.put(record, Durability.DAEMON_CRASH);
        return restore(record, sandbox);
    }

    /** Writes a change, then makes it visible. On failure nothing has changed. */
    ContainerRecord update(Container container, UnaryOperator<ContainerRecord> change) throws StateException {
        ContainerRecord next = change.apply(container.record());
        store.put(next, Durability.DAEMON_CRASH);
        container.record(next);
        return next;
    }

    /**
     * A container has ended: visible at once, whether or not it can be written. Losing the write loses nothing, the next
     * daemon finds the shim's exit file.
     */
    void ended(Container container, long atNanos, ContainerRecord.End how) {
        ContainerRecord next = container.record().exited(atNanos, how);
        container.record(next);
        container.markEnded();
        publish(ContainerEventType.CONTAINER_STOPPED_EVENT, container, atNanos);
        log.atInfo().addKeyValue("container", container.id()).addKeyValue("exitCode", how.exitCode())
                .addKeyValue("reason", how.reason()).log("container has ended");
        try {
            store.put(next, Durability.POWER_LOSS);
        } catch (StateException e) {
            log.atError().addKeyValue("container", container.id()).setCause(e)
                    .log("could not record the end of a container");
        }
    }

    /** Forgets it. */
    void forget(Container container) throws StateException {
        store.deleteContainer(container.id());
        index.remove(container.id());
    }

    /** Closes the connections to all shims; from then on their silence means nothing. */
    public void letGoOfShims() {
        lettingGo = true;
        all().forEach(container -> container.shim().ifPresent(Shim::close));
    }

    /** Whether this daemon ends and the shims live on without it. */
    boolean lettingGo() {
        return lettingGo;
    }

    void publish(ContainerEventType type, Container container, long atNanos) {
        events.publish(type, container.id(), container.sandbox().id(),
                Instant.ofEpochSecond(0, atNanos));
    }

    private static boolean visible(Container container) {
        return container.record().phase() != ContainerPhase.CREATING;
    }
}
