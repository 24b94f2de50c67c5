package io.berth.imagestore.metadata;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Everything the database says, at one moment. Never changes: a writer makes the next one.
 *
 * @param images by id
 * @param names image ids by canonical tag or digest reference
 * @param layers by diff id
 * @param snapshots by key
 * @param retired former files of layers, in use by snapshots
 */
public record Catalog(Map<String, StoredImage> images, Map<String, String> names, Map<String, Layer> layers,
        Map<String, StoredSnapshot> snapshots, List<RetiredLayer> retired) {
    static final Catalog EMPTY = new Catalog(Map.of(), Map.of(), Map.of(), Map.of(), List.of());

    /** The image that a canonical reference names; null for none. */
    public @Nullable StoredImage named(String canonical) {
        String id = names.get(canonical);
        return id == null ? null : images.get(id);
    }

    /** Diff ids of the layers that an image or a snapshot needs. */
    public Set<String> neededLayers() {
        Set<String> needed = new HashSet<>();
        images.values().forEach(stored -> needed.addAll(stored.image().diffIds()));
        snapshots.values().forEach(snapshot -> needed.addAll(snapshot.diffIds()));
        return needed;
    }

    Catalog withImage(StoredImage stored, Map<String, StoredImage> changed) {
        Map<String, StoredImage> nextImages = new HashMap<>(images);
        nextImages.putAll(changed);
        nextImages.put(stored.image().id(), stored);
        Map<String, String> nextNames = new HashMap<>(names);
        stored.image().repoTags().forEach(name -> nextNames.put(name, stored.image().id()));
        stored.image().repoDigests().forEach(name -> nextNames.put(name, stored.image().id()));
        return new Catalog(nextImages, nextNames, layers, snapshots, retired);
    }

    Catalog withoutName(String name) {
        Map<String, String> next = new HashMap<>(names);
        next.remove(name);
        return new Catalog(images, next, layers, snapshots, retired);
    }

    Catalog withoutImage(String id) {
        Map<String, StoredImage> nextImages = new HashMap<>(images);
        nextImages.remove(id);
        Map<String, String> nextNames = new HashMap<>(names);
        nextNames.values().removeIf(id::equals);
        return new Catalog(nextImages, nextNames, layers, snapshots, retired);
    }

    Catalog withLayers(Iterable<Layer> added) {
        Map<String, Layer> next = new HashMap<>(layers);
        added.forEach(layer -> next.put(layer.diffId(), layer));
        return new Catalog(images, names, next, snapshots, retired);
    }

    Catalog withoutLayers(Set<String> diffIds) {
        Map<String, Layer> next = new HashMap<>(layers);
        next.keySet().removeAll(diffIds);
        return new Catalog(images, names, next, snapshots, retired);
    }

    Catalog withReplacedLayer(Layer layer, List<RetiredLayer> nowRetired) {
        Map<String, Layer> next = new HashMap<>(layers);
        next.put(layer.diffId(), layer);
        return new Catalog(images, names, next, snapshots, nowRetired);
    }

    Catalog withRetired(List<RetiredLayer> nowRetired) {
        return new Catalog(images, names, layers, snapshots, List.copyOf(nowRetired));
    }

    /** Keys of the snapshots that hold the layer {@code diffId}. */
    public Set<String> snapshotsOver(String diffId) {
        Set<String> keys = new HashSet<>();
        for (StoredSnapshot snapshot : snapshots.values()) {
            if (snapshot.diffIds().contains(diffId)) {
                keys.add(snapshot.key());
            }
        }
        return keys;
    }

    Catalog withSnapshot(StoredSnapshot snapshot) {
        Map<String, StoredSnapshot> next = new HashMap<>(snapshots);
        next.put(snapshot.key(), snapshot);
        return new Catalog(images, names, layers, next, retired);
    }

    Catalog withoutSnapshot(String key) {
        Map<String, StoredSnapshot> next = new HashMap<>(snapshots);
        next.remove(key);
        return new Catalog(images, names, layers, next, retired);
    }
}
