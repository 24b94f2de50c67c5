package io.berth.runtime.streaming;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Bytes on their way from a client's connection to one reader. The event loop puts and never waits; the reader waits. A
 * reader that is {@link #HIGH_BYTES} behind closes the connection's {@link ReadGate}, so that the client is held back by
 * TCP and memory stays bounded.
 */
final class Inlet {
    private static final int HIGH_BYTES = 256 << 10;
    private static final int LOW_BYTES = 64 << 10;

    private final ReadGate gate;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Queue<ByteBuffer> queue = new ArrayDeque<>();
    private int queuedBytes;
    private boolean holdsGate;
    private boolean ended;

    Inlet(ReadGate gate) {
        this.gate = gate;
    }

    /** Appends {@code data}, which the inlet keeps. Data after the end is dropped. */
    void put(ByteBuffer data) {
        lock.lock();
        try {
            if (ended || !data.hasRemaining()) {
                return;
            }
            queue.add(data);
            queuedBytes += data.remaining();
            if (queuedBytes > HIGH_BYTES && !holdsGate) {
                holdsGate = true;
                gate.hold();
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** No more will come; what is queued is still read. */
    void end() {
        lock.lock();
        try {
            ended = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** The reader has no more interest: what is queued goes, and so does what comes. */
    void discard() {
        lock.lock();
        try {
            ended = true;
            queue.clear();
            queuedBytes = 0;
            releaseGate();
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Waits for the next bytes; null at the end. */
    @Nullable
    ByteBuffer take() throws InterruptedException {
        lock.lock();
        try {
            await();
            return poll();
        } finally {
            lock.unlock();
        }
    }

    /** Waits until there are bytes, and leaves them there; false at the end. */
    boolean await() throws InterruptedException {
        lock.lock();
        try {
            while (queue.isEmpty() && !ended) {
                changed.await();
            }
            return !queue.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    /** The next bytes; null where none have come yet. */
    @Nullable
    ByteBuffer poll() {
        lock.lock();
        try {
            ByteBuffer next = queue.poll();
            if (next != null) {
                queuedBytes -= next.remaining();
            }
            if (queuedBytes < LOW_BYTES) {
                releaseGate();
            }
            return next;
        } finally {
            lock.unlock();
        }
    }

    private void releaseGate() {
        if (holdsGate) {
            holdsGate = false;
            gate.release();
        }
    }
}
