package io.berth.runtime.sandbox;

import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.state.SandboxPhase;
import io.berth.runtime.state.SandboxRecord;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * One sandbox in memory. Its record is read without a lock and replaced by {@link Sandboxes} only. Creations of containers
 * in it hold its read lock, stop and remove its write lock.
 */
public final class Sandbox {
    private static final Duration LOCK_LIMIT = Duration.ofMinutes(5);

    private final String id;
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
    private volatile SandboxRecord record;

    Sandbox(SandboxRecord record) {
        this.id = record.id();
        this.record = record;
    }

    public String id() {
        return id;
    }

    /** What is known of it now. */
    public SandboxRecord record() {
        return record;
    }

    void record(SandboxRecord next) {
        record = next;
    }

    public boolean ready() {
        return record.phase() == SandboxPhase.READY;
    }

    /** The namespaces that it was asked for. */
    public NamespaceOption namespaceOptions() {
        return record.config().getLinux().getSecurityContext().getNamespaceOptions();
    }

    public boolean hostNetwork() {
        return namespaceOptions().getNetwork() == NamespaceMode.NODE;
    }

    /** What a lock protects. */
    public interface Locked<T> {
        T run() throws Exception;
    }

    /** Runs {@code work} while nobody stops or removes this sandbox. */
    public <T> T whileNotStopping(Locked<T> work) throws Exception {
        return locked(lock.readLock(), work);
    }

    /** Runs {@code work} while nobody else stops, removes or creates in this sandbox. */
    <T> T exclusively(Locked<T> work) throws Exception {
        return locked(lock.writeLock(), work);
    }

    private <T> T locked(Lock held, Locked<T> work) throws Exception {
        if (!held.tryLock(LOCK_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
            throw new LifecycleException(LifecycleException.Kind.TIMEOUT, "sandbox " + id
                    + " is busy with another request for more than " + LOCK_LIMIT.toMinutes()
                    + " minutes; a CNI plugin or OCI runtime may hang, see the log");
        }
        try {
            return work.run();
        } finally {
            held.unlock();
        }
    }
}
