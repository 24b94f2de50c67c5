package io.berth.runtime.sandbox;

import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.state.Durability;
import io.berth.runtime.state.IdIndex;
import io.berth.runtime.state.SandboxPhase;
import io.berth.runtime.state.SandboxRecord;
import io.berth.runtime.state.StateException;
import io.berth.runtime.state.StateStore;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/** Every sandbox, and the only place that changes one: the record is written first, then replaced in memory. */
public final class Sandboxes {
    private final StateStore store;
    private final IdIndex<Sandbox> index = new IdIndex<>();

    public Sandboxes(StateStore store) {
        this.store = store;
    }

    /** The sandbox of an id or unique prefix; not one whose creation is still under way. */
    public Optional<Sandbox> find(String idOrPrefix) {
        return index.find(idOrPrefix).filter(Sandboxes::visible);
    }

    /** As {@link #find}, with NOT_FOUND where there is none. */
    public Sandbox require(String idOrPrefix) throws LifecycleException {
        if (idOrPrefix.isEmpty()) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, "pod_sandbox_id is empty");
        }
        return find(idOrPrefix).orElseThrow(() -> new LifecycleException(LifecycleException.Kind.NOT_FOUND,
                "pod sandbox \"" + idOrPrefix + "\" not found"));
    }

    /** Every sandbox but those whose creation is under way. */
    public List<Sandbox> all() {
        return index.values().stream().filter(Sandboxes::visible).toList();
    }

    /** Whether a sandbox has this very id, visible or not. */
    boolean known(String id) {
        return index.find(id).filter(sandbox -> sandbox.id().equals(id)).isPresent();
    }

    /** Every sandbox, those whose creation is under way among them. */
    List<Sandbox> every() {
        return List.copyOf(index.values());
    }

    /** The newest sandbox with a name key that is ready. */
    Optional<Sandbox> readyByName(String nameKey) {
        return all().stream().filter(Sandbox::ready).filter(s -> s.record().nameKey().equals(nameKey))
                .max(Comparator.comparingLong(s -> s.record().createdAtNanos()));
    }

    /** A sandbox that the database has already. */
    Sandbox restore(SandboxRecord record) {
        Sandbox sandbox = new Sandbox(record);
        index.put(record.id(), sandbox);
        return sandbox;
    }

    /** Records the intent to make a sandbox. */
    Sandbox add(SandboxRecord record) throws StateException {
        store.put(record, Durability.DAEMON_CRASH);
        return restore(record);
    }

    /** Writes and publishes a change. On failure nothing has changed. */
    SandboxRecord update(Sandbox sandbox, Durability durability, UnaryOperator<SandboxRecord> change)
            throws StateException {
        synchronized (sandbox) {
            SandboxRecord next = change.apply(sandbox.record());
            store.put(next, durability);
            sandbox.record(next);
            return next;
        }
    }

    /** Forgets it. */
    void forget(Sandbox sandbox) throws StateException {
        store.deleteSandbox(sandbox.id());
        index.remove(sandbox.id());
    }

    private static boolean visible(Sandbox sandbox) {
        return sandbox.record().phase() != SandboxPhase.CREATING;
    }
}
