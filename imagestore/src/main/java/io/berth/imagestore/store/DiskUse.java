package io.berth.imagestore.store;

import io.berth.imagestore.Images.Usage;
import io.berth.imagestore.metadata.Catalog;
import io.berth.imagestore.metadata.Layer;
import io.berth.imagestore.metadata.Metadata;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Disk use of the whole store, answered from memory: layers as recorded when they were unpacked, writable layers as walked a
 * few seconds ago at most while somebody asks.
 */
final class DiskUse {
    private static final long MAX_AGE_NANOS = Duration.ofSeconds(10).toNanos();

    private final Metadata metadata;
    private final OverlaySnapshots snapshots;
    private final AtomicBoolean walking = new AtomicBoolean();
    private volatile Usage writable = new Usage(0, 0);
    private volatile long walkedAt = System.nanoTime() - MAX_AGE_NANOS;

    DiskUse(Metadata metadata, OverlaySnapshots snapshots) {
        this.metadata = metadata;
        this.snapshots = snapshots;
    }

    Usage total() {
        Catalog catalog = metadata.catalog();
        if (!catalog.snapshots().isEmpty() && System.nanoTime() - walkedAt >= MAX_AGE_NANOS
                && walking.compareAndSet(false, true)) {
            Thread.ofPlatform().daemon().name("disk-use").start(this::walk);
        }
        Usage above = catalog.snapshots().isEmpty() ? new Usage(0, 0) : writable;
        long bytes = above.bytes();
        long inodes = above.inodes();
        for (Layer layer : catalog.layers().values()) {
            bytes += layer.diskBytes();
            inodes += layer.inodes();
        }
        return new Usage(bytes, inodes);
    }

    private void walk() {
        try {
            long bytes = 0;
            long inodes = 0;
            for (String key : snapshots.keys()) {
                Usage usage = snapshots.usage(key);
                bytes += usage.bytes();
                inodes += usage.inodes();
            }
            writable = new Usage(bytes, inodes);
            walkedAt = System.nanoTime();
        } finally {
            walking.set(false);
        }
    }
}
