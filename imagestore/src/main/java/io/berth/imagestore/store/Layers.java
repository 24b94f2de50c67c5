package io.berth.imagestore.store;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.LayerLimits;
import io.berth.imagestore.metadata.Catalog;
import io.berth.imagestore.metadata.Layer;
import io.berth.imagestore.metadata.Metadata;
import io.berth.imagestore.metadata.RetiredLayer;
import io.berth.imagestore.metadata.StoredImage;
import io.berth.imagestore.record.RecordWriter;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.unpack.LayerUnpacker;
import io.berth.imagestore.unpack.UnpackedLayer;
import io.berth.linux.Fd;
import io.micrometer.core.instrument.MeterRegistry;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The layers: those that are there, those that pulls are fetching now, and who needs them. A layer goes when no image, no
 * snapshot and no pull needs it.
 */
final class Layers {
    private final Metadata metadata;
    private final StoreDirectory directory;
    private final LayerUnpacker unpacker;
    private final Semaphore permits;
    private final MeterRegistry meters;
    private final ReentrantLock lock = new ReentrantLock();
    /** How many pulls need a layer, by diff id. */
    private final Map<String, Integer> holds = new HashMap<>();
    private final Map<String, LayerTask> tasks = new HashMap<>();

    Layers(Metadata metadata, StoreDirectory directory, int parallel, LayerLimits limits,
            MeterRegistry meters) {
        this.metadata = metadata;
        this.directory = directory;
        this.unpacker = new LayerUnpacker(limits);
        this.permits = new Semaphore(parallel, true);
        this.meters = meters;
    }

    /**
     * A pull's need of a layer.
     *
     * @param task null where the layer was there already
     * @param own whether this pull's source feeds the task
     */
    record Hold(String diffId, @Nullable LayerTask task, boolean own) {}

    /** Makes sure that the layer {@code diffId} is there or comes, and stays until {@link #release}. */
    Hold hold(String diffId, Descriptor blob, SharedSource source) throws ImageException {
        lock.lock();
        try {
            boolean present = metadata.catalog().layers().containsKey(diffId);
            LayerTask task = present ? null : tasks.get(diffId);
            boolean own = !present && (task == null || task.failed());
            if (own) {
                task = new LayerTask(diffId, blob, source, directory, unpacker, permits, meters);
                tasks.put(diffId, task);
                task.start();
            }
            if (task != null) {
                task.join();
            }
            holds.merge(diffId, 1, Integer::sum);
            return new Hold(diffId, task, own);
        } finally {
            lock.unlock();
        }
    }

    /** Ends a need. A layer that nobody else waits for is cancelled; what nobody needs is deleted when this returns. */
    void release(List<Hold> released) throws ImageException {
        List<LayerTask> unwanted = new ArrayList<>();
        lock.lock();
        try {
            for (Hold hold : released) {
                holds.computeIfPresent(hold.diffId(), (diffId, count) -> count == 1 ? null : count - 1);
                LayerTask task = hold.task();
                if (task != null && task.leave()) {
                    tasks.remove(hold.diffId(), task);
                    unwanted.add(task);
                }
            }
        } finally {
            lock.unlock();
        }
        // A task whose layer was committed has no directory any more; deleting it does nothing then.
        unwanted.forEach(LayerTask::discard);
        collect();
    }

    /**
     * Makes an image whole: its layers, all held and unpacked, are moved to their place, and their rows and the image's are
     * written together.
     *
     * @param filesystem opened before the layers were unpacked
     */
    StoredImage commit(StoredImage image, List<Hold> held, Map<String, UnpackedLayer> unpacked, Fd filesystem)
            throws ImageException {
        if (held.stream().anyMatch(hold -> hold.task() != null)) {
            directory.sync(filesystem);
        }
        lock.lock();
        try {
            List<String> moved = new ArrayList<>();
            try {
                List<Layer> added = place(held, unpacked, moved);
                if (!moved.isEmpty()) {
                    directory.syncLayerNames();
                }
                StoredImage whole = new StoredImage(image.image(),
                        new EffectiveDirectories(chain(image.image().diffIds(), added)).attributes());
                return metadata.putImage(whole, added);
            } catch (ImageException | RuntimeException e) {
                for (String name : moved) {
                    directory.moveLayer(name, false);
                }
                throw e;
            }
        } finally {
            lock.unlock();
        }
    }

    /** Changes images or snapshots while no layer can come or go. */
    <T> T locked(Change<T> change) throws ImageException {
        lock.lock();
        try {
            return change.apply(metadata.catalog());
        } finally {
            lock.unlock();
        }
    }

    /** What {@link #locked} does. */
    @FunctionalInterface
    interface Change<T> {
        T apply(Catalog catalog) throws ImageException;
    }

    /** Deletes the layers that nobody needs; their disk space is free when it returns. */
    void collect() throws ImageException {
        List<String> garbage = new ArrayList<>();
        lock.lock();
        try {
            Catalog catalog = metadata.catalog();
            List<RetiredLayer> unused = catalog.retired().stream()
                    .filter(retired -> Collections.disjoint(retired.snapshots(),
                            catalog.snapshots().keySet()))
                    .toList();
            if (!unused.isEmpty()) {
                metadata.removeRetired(unused);
                unused.forEach(retired -> garbage.add(retired.directory()));
            }
            Set<String> unneeded = new HashSet<>(catalog.layers().keySet());
            unneeded.removeAll(catalog.neededLayers());
            unneeded.removeAll(holds.keySet());
            if (!unneeded.isEmpty()) {
                metadata.removeLayers(unneeded);
                unneeded.forEach(diffId -> garbage.add(layer(catalog, diffId).directory()));
            }
        } finally {
            lock.unlock();
        }
        garbage.forEach(directory::deleteLayer);
    }

    /**
     * Keeps the layer {@code diffId} on disk until {@link #release} of what is returned.
     *
     * @return null where the layer is not there
     */
    @Nullable
    Hold keep(String diffId) {
        lock.lock();
        try {
            if (!metadata.catalog().layers().containsKey(diffId)) {
                return null;
            }
            holds.merge(diffId, 1, Integer::sum);
            return new Hold(diffId, null, false);
        } finally {
            lock.unlock();
        }
    }

    /** A layer that was replaced, and the keys of the snapshots that go on with its files. */
    record Replaced(Layer former, Set<String> snapshots) {}

    /**
     * Fetches the layer {@code diffId}, which the caller keeps, once more and puts it in the place of the one that is there.
     * Snapshots that may be mounted over the former files keep those: an overlay whose lower files change shows anything.
     */
    Replaced replace(String diffId, Descriptor blob, SharedSource source)
            throws ImageException, InterruptedException {
        LayerTask task = new LayerTask(diffId, blob, source, directory, unpacker, permits, meters);
        task.start();
        try (Fd filesystem = directory.openForSync()) {
            UnpackedLayer unpacked = task.await();
            directory.sync(filesystem);
            Replaced replaced = swap(diffId, task, unpacked);
            if (replaced.snapshots().isEmpty()) {
                directory.deleteLayer(replaced.former().directory());
            } else {
                directory.deleteRecord(replaced.former().directory());
            }
            return replaced;
        } finally {
            task.discard();
            collect();
        }
    }

    private Replaced swap(String diffId, LayerTask task, UnpackedLayer unpacked) throws ImageException {
        lock.lock();
        try {
            Catalog catalog = metadata.catalog();
            Layer former = layer(catalog, diffId);
            Set<String> users = catalog.snapshotsOver(diffId);
            Layer layer = layer(diffId, task.name(), unpacked);
            directory.moveLayer(task.name(), true);
            try {
                directory.syncLayerNames();
                metadata.replaceLayer(layer, users.isEmpty()
                        ? null
                        : new RetiredLayer(former.directory(), diffId, users));
            } catch (ImageException | RuntimeException e) {
                directory.moveLayer(task.name(), false);
                throw e;
            }
            return new Replaced(former, users);
        } finally {
            lock.unlock();
        }
    }

    /**
     * The directories of an image's layers, topmost first, as overlayfs takes them: each once (what a lower twin has, the
     * upper one shows), and none that an opaque root hides.
     */
    List<Path> lower(Catalog catalog, List<String> diffIds) {
        List<Path> lower = new ArrayList<>();
        for (String diffId : new ArrayList<>(diffIds).reversed()) {
            Path path = directoryOf(catalog, diffId);
            if (!lower.contains(path)) {
                lower.add(path);
            }
            if (layer(catalog, diffId).rootOpaque()) {
                break;
            }
        }
        return lower;
    }

    /** How many holds there are. */
    int waiting() {
        lock.lock();
        try {
            return holds.values().stream().mapToInt(Integer::intValue).sum();
        } finally {
            lock.unlock();
        }
    }

    private List<Layer> place(List<Hold> held, Map<String, UnpackedLayer> unpacked, List<String> moved)
            throws ImageException {
        List<Layer> added = new ArrayList<>();
        for (Hold hold : held) {
            LayerTask task = hold.task();
            UnpackedLayer layer = unpacked.get(hold.diffId());
            // Another pull that shares the layer may have been first; so may be another place in this image.
            boolean there = metadata.catalog().layers().containsKey(hold.diffId())
                    || added.stream().anyMatch(other -> other.diffId().equals(hold.diffId()));
            if (task == null || layer == null || there) {
                continue;
            }
            moved.add(task.name());
            directory.moveLayer(task.name(), true);
            added.add(layer(hold.diffId(), task.name(), layer));
        }
        return added;
    }

    private static Layer layer(String diffId, String name, UnpackedLayer unpacked) {
        RecordWriter.Written record = Objects.requireNonNull(unpacked.record(), "a layer has a record");
        return new Layer(diffId, name, unpacked.diskBytes() + record.bytes(), unpacked.inodes() + 1,
                unpacked.impliedDirectories(), unpacked.rootOpaque(), record.digest());
    }

    /** The layers with their directories, topmost first, as {@link #lower}. */
    private List<EffectiveDirectories.Level> chain(List<String> diffIds, List<Layer> added) {
        Map<String, Layer> all = new HashMap<>(metadata.catalog().layers());
        added.forEach(layer -> all.put(layer.diffId(), layer));
        List<EffectiveDirectories.Level> chain = new ArrayList<>();
        for (String diffId : new ArrayList<>(diffIds).reversed()) {
            Layer layer = all.get(diffId);
            if (layer == null) {
                throw new IllegalStateException("layer " + diffId + " is neither there nor unpacked");
            }
            if (chain.stream().noneMatch(level -> level.layer().equals(layer))) {
                chain.add(new EffectiveDirectories.Level(directory.layer(layer.directory()), layer));
            }
            if (layer.rootOpaque()) {
                break;
            }
        }
        return chain;
    }

    private Path directoryOf(Catalog catalog, String diffId) {
        return directory.layer(layer(catalog, diffId).directory());
    }

    private static Layer layer(Catalog catalog, String diffId) {
        Layer layer = catalog.layers().get(diffId);
        if (layer == null) {
            throw new IllegalStateException("layer " + diffId + " is needed and not there");
        }
        return layer;
    }
}
