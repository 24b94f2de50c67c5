package io.berth.imagestore.store;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.unpack.LayerUnpacker;
import io.berth.imagestore.unpack.UnpackedLayer;
import io.micrometer.core.instrument.MeterRegistry;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One layer on its way from a source to {@code ingest/}, for all pulls that want it. */
final class LayerTask {
    private static final Logger log = LoggerFactory.getLogger(LayerTask.class);

    private final String diffId;
    private final Descriptor blob;
    private final SharedSource source;
    private final StoreDirectory directory;
    private final String name;
    private final Path path;
    private final CompletableFuture<UnpackedLayer> result = new CompletableFuture<>();
    private final Thread worker;
    private volatile boolean started;
    private final ReceivedBytes received;
    /** Pulls that want this layer; guarded by the lock of {@link Layers}. */
    private int holders;

    LayerTask(String diffId, Descriptor blob, SharedSource source, StoreDirectory directory,
            LayerUnpacker unpacker,
            Semaphore permits, MeterRegistry meters) throws ImageException {
        this.diffId = diffId;
        this.blob = blob;
        this.source = source.retain();
        this.directory = directory;
        this.received = new ReceivedBytes(blob, meters, System::nanoTime);
        this.name = directory.newName();
        try {
            this.path = directory.newIngest(name);
        } catch (ImageException e) {
            source.release();
            throw e;
        }
        this.worker = Thread.ofPlatform().daemon().name("layer-" + name)
                .unstarted(() -> run(unpacker, permits, meters));
    }

    void start() {
        worker.start();
    }

    String diffId() {
        return diffId;
    }

    /** The short name that its directory has in {@code ingest/}, and will have in {@code layers/}. */
    String name() {
        return name;
    }

    Path path() {
        return path;
    }

    void join() {
        holders++;
    }

    /** Whether nobody is left. */
    boolean leave() {
        holders--;
        return holders == 0;
    }

    /** Whether it has a place among the layers that are fetched at one time. */
    boolean started() {
        return started;
    }

    /** Bytes of the blob that have come. */
    long received() {
        return received.bytes();
    }

    /** Whether the layer is unpacked. */
    boolean done() {
        return result.isDone() && !result.isCompletedExceptionally();
    }

    /** Whether it has ended without a layer. */
    boolean failed() {
        return result.isCompletedExceptionally();
    }

    /** Completes {@code fault} as soon as this has failed. */
    void tellFailure(CompletableFuture<?> fault) {
        CompletableFuture<?> ignored = result.whenComplete((unpacked, failure) -> {
            if (failure != null) {
                fault.completeExceptionally(failure);
            }
        });
    }

    /** Waits for the layer. */
    UnpackedLayer await() throws ImageException, InterruptedException {
        return await(new CompletableFuture<>());
    }

    /** Waits for the layer, or until {@code fault} says that it is not needed: then fails with that. */
    UnpackedLayer await(CompletableFuture<?> fault) throws ImageException, InterruptedException {
        try {
            CompletableFuture.anyOf(result, fault).get();
            return result.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof ImageException image) {
                // A new exception for each waiter: stack traces and suppressed exceptions are the thrower's own.
                throw new ImageException(image.kind(), String.valueOf(image.getMessage()), image);
            }
            throw new ImageException(Kind.INTERNAL,
                    "layer " + blob.digest() + " could not be unpacked: " + e.getCause(),
                    e.getCause());
        }
    }

    /** Stops it, waits for that, and deletes what it has written. */
    void discard() {
        worker.interrupt();
        boolean interrupted = false;
        while (worker.isAlive()) {
            try {
                worker.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        directory.deleteIngest(name);
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void run(LayerUnpacker unpacker, Semaphore permits, MeterRegistry meters) {
        try {
            permits.acquire();
            started = true;
            try {
                result.complete(unpack(unpacker, meters));
            } finally {
                permits.release();
            }
        } catch (InterruptedException e) {
            result.completeExceptionally(
                    new ImageException(Kind.CANCELLED, "layer " + blob.digest() + " is no longer wanted", e));
        } catch (ImageException | RuntimeException | Error e) {
            result.completeExceptionally(e);
        } finally {
            received.close();
            source.release();
        }
    }

    private UnpackedLayer unpack(LayerUnpacker unpacker, MeterRegistry meters) throws ImageException {
        long start = System.nanoTime();
        InputStream stream = received.counting(source.resolved().openBlob(blob));
        UnpackedLayer unpacked = unpacker.unpack(stream, blob, path);
        if (!unpacked.diffId().equals(diffId)) {
            throw new ImageException(Kind.CORRUPT,
                    "layer " + blob.digest() + " unpacks to " + unpacked.diffId()
                            + ", the image's config says " + diffId
                            + "; the image was put together wrongly and must be pushed again");
        }
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        meters.timer("berth.image.layer").record(took);
        log.atInfo().addKeyValue("layer", blob.digest()).addKeyValue("bytes", blob.size())
                .addKeyValue("tarBytes", unpacked.tarBytes()).addKeyValue("millis", took.toMillis())
                .log("layer unpacked");
        return unpacked;
    }
}
