package io.berth.runtime.container;

import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.shim.Shim;
import io.berth.runtime.state.ContainerPhase;
import io.berth.runtime.state.ContainerRecord;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One container in memory. Its record is read without a lock and replaced by {@link Containers} only, under the
 * container's lock. Waiting for its end needs no lock.
 */
public final class Container {
    private final String id;
    private final Sandbox sandbox;
    private final Duration lockLimit;
    private final ReentrantLock lock = new ReentrantLock();
    private final CompletableFuture<ContainerRecord> ended = new CompletableFuture<>();
    private final CompletableFuture<Boolean> released = new CompletableFuture<>();
    private final AtomicBoolean stopSignalSent = new AtomicBoolean();
    private final AtomicBoolean checkpointing = new AtomicBoolean();
    private volatile ContainerRecord record;
    private volatile @Nullable Shim shim;
    private volatile @Nullable ExecBarrier execBarrier;

    Container(ContainerRecord record, Sandbox sandbox, Duration lockLimit) {
        this.id = record.id();
        this.record = record;
        this.sandbox = sandbox;
        this.lockLimit = lockLimit;
    }

    public String id() {
        return id;
    }

    public Sandbox sandbox() {
        return sandbox;
    }

    /** What is known of it now. */
    public ContainerRecord record() {
        return record;
    }

    public boolean running() {
        return record.phase() == ContainerPhase.RUNNING;
    }

    /** Its supervisor; empty before it is created, after it was released, and while it does not answer. */
    public Optional<Shim> shim() {
        return Optional.ofNullable(shim);
    }

    void record(ContainerRecord next) {
        record = next;
    }

    void shim(@Nullable Shim next) {
        shim = next;
    }

    /** Set before a start; absent where an earlier daemon started the container, which is long ago. */
    Optional<ExecBarrier> execBarrier() {
        return Optional.ofNullable(execBarrier);
    }

    void execBarrier(ExecBarrier barrier) {
        execBarrier = barrier;
    }

    /** Whether nothing of it runs any more. */
    boolean hasEnded() {
        return ended.isDone();
    }

    void markEnded() {
        ended.complete(record);
    }

    /** Waits until it has ended; false where it has not within {@code limit}. */
    boolean awaitEnd(Duration limit) throws InterruptedException {
        return await(ended, limit);
    }

    /** To be called when the OCI runtime, its cgroup and its shim have let go of it, or have failed to. */
    void markReleased(boolean clean) {
        released.complete(clean);
    }

    /** Waits until {@link #markReleased}; false where that came unclean or not within {@code limit}. */
    boolean awaitCleanRelease(Duration limit) throws InterruptedException {
        return await(released, limit) && released.join();
    }

    /** True for the first caller only, who is to send the stop signal. */
    boolean claimStopSignal() {
        return stopSignalSent.compareAndSet(false, true);
    }

    /** True for one caller at a time, who is to call {@link #releaseCheckpoint} then. */
    boolean claimCheckpoint() {
        return checkpointing.compareAndSet(false, true);
    }

    void releaseCheckpoint() {
        checkpointing.set(false);
    }

    /** What the lock protects. */
    interface Locked<T> {
        T run() throws Exception;
    }

    /** Runs {@code work} while no other change of this container is under way. */
    <T> T exclusively(Locked<T> work) throws Exception {
        if (!lock.tryLock(lockLimit.toMillis(), TimeUnit.MILLISECONDS)) {
            throw new LifecycleException(LifecycleException.Kind.TIMEOUT, "container " + id
                    + " is busy with another request for more than " + lockLimit.toSeconds()
                    + " s; its OCI runtime or shim may hang, see the log");
        }
        try {
            return work.run();
        } finally {
            lock.unlock();
        }
    }

    private static boolean await(CompletableFuture<?> future, Duration limit) throws InterruptedException {
        try {
            future.get(limit.toMillis(), TimeUnit.MILLISECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        } catch (ExecutionException e) {
            throw new IllegalStateException("never completed exceptionally", e);
        }
    }
}
