package io.berth.imagestore.store;

import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.ImageTools.DiskReport;
import io.berth.imagestore.ImageTools.ExportFormat;
import io.berth.imagestore.ImageTools.ImageUse;
import io.berth.imagestore.ImageTools.LayerUse;
import io.berth.imagestore.ImageTools.Part;
import io.berth.imagestore.Images.Usage;
import io.berth.imagestore.archive.ImageExport;
import io.berth.imagestore.metadata.Catalog;
import io.berth.imagestore.metadata.ImageNames;
import io.berth.imagestore.metadata.Layer;
import io.berth.imagestore.metadata.Metadata;
import io.berth.imagestore.metadata.StoredImage;
import io.berth.imagestore.record.LayerTar;
import io.berth.imagestore.registry.ImageReference;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** The parts of {@link io.berth.imagestore.ImageTools} that ask and change the catalog. */
final class OperatorTools {
    private final Metadata metadata;
    private final Layers layers;
    private final StoreDirectory directory;
    private final OverlaySnapshots snapshots;

    OperatorTools(Metadata metadata, Layers layers, StoreDirectory directory, OverlaySnapshots snapshots) {
        this.metadata = metadata;
        this.layers = layers;
        this.directory = directory;
        this.snapshots = snapshots;
    }

    Image require(String referenceOrId) throws ImageException {
        return require(metadata.catalog(), referenceOrId);
    }

    Image tag(String referenceOrId, String tag) throws ImageException {
        ImageReference reference = ImageReference.parse(tag);
        if (reference.digest() != null) {
            throw new ImageException(Kind.INVALID, "\"" + tag
                    + "\" names a digest, which only a registry gives; name a tag such as example.com/app:1");
        }
        return layers.locked(catalog -> {
            Image image = require(catalog, referenceOrId);
            Image named = ImageNames.adding(image, List.of(reference.canonical()), List.of());
            return put(catalog, named);
        });
    }

    Image untag(String name) throws ImageException {
        String canonical = ImageReference.parse(name).canonical();
        return layers.locked(catalog -> {
            StoredImage stored = catalog.named(canonical);
            if (stored == null) {
                throw new ImageException(Kind.NOT_FOUND, "no image on this node is named " + canonical);
            }
            return metadata.removeName(stored.image().id(), canonical).image();
        });
    }

    void exportTo(List<String> references, Path target, ExportFormat format) throws ImageException {
        List<Layers.Hold> held = new ArrayList<>();
        try {
            List<ImageExport.Source> sources = new ArrayList<>();
            for (String reference : references) {
                sources.add(source(require(reference), held));
            }
            new ImageExport(sources).writeTo(target, format);
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw StoreDirectory.failure("cannot export to " + target, e);
        } finally {
            layers.release(held);
        }
    }

    ImageUse use(Image image) {
        Catalog catalog = metadata.catalog();
        Map<String, Integer> images = imagesByLayer(catalog);
        List<LayerUse> uses = new ArrayList<>();
        for (String diffId : image.diffIds()) {
            Layer layer = catalog.layers().get(diffId);
            if (layer != null) {
                uses.add(new LayerUse(diffId, layer.diskBytes(), layer.inodes(), layer.record() != null,
                        images.getOrDefault(diffId, 0)));
            }
        }
        Set<String> users = new TreeSet<>();
        catalog.snapshots().values().stream().filter(snapshot -> snapshot.imageId().equals(image.id()))
                .forEach(snapshot -> users.add(snapshot.key()));
        return new ImageUse(image, uses, users);
    }

    List<Image> prune(boolean all, boolean dryRun) throws ImageException {
        List<Image> removed = layers.locked(catalog -> {
            List<Image> unused = unused(catalog).stream()
                    .filter(image -> all || image.repoTags().isEmpty()).toList();
            if (!dryRun) {
                for (Image image : unused) {
                    metadata.removeImage(image.id());
                }
            }
            return unused;
        });
        if (!dryRun) {
            layers.collect();
        }
        return removed;
    }

    DiskReport diskReport() {
        Catalog catalog = metadata.catalog();
        Map<String, Integer> images = imagesByLayer(catalog);
        Set<String> shared = new HashSet<>();
        images.forEach((diffId, count) -> {
            if (count > 1) {
                shared.add(diffId);
            }
        });
        Set<String> needed = new HashSet<>();
        catalog.snapshots().values().forEach(snapshot -> needed.addAll(snapshot.diffIds()));
        Set<String> unusedIds = new HashSet<>();
        unused(catalog).forEach(image -> unusedIds.add(image.id()));
        catalog.images().values().stream().filter(stored -> !unusedIds.contains(stored.image().id()))
                .forEach(stored -> needed.addAll(stored.image().diffIds()));
        Set<String> unneeded = new HashSet<>(catalog.layers().keySet());
        unneeded.removeAll(needed);
        return new DiskReport(catalog.images().size(), part(catalog, catalog.layers().keySet()),
                part(catalog, shared), part(catalog, unneeded), writable());
    }

    private Part writable() {
        List<String> keys = snapshots.keys();
        long bytes = 0;
        long inodes = 0;
        for (String key : keys) {
            Usage usage = snapshots.usage(key);
            bytes += usage.bytes();
            inodes += usage.inodes();
        }
        return new Part(keys.size(), bytes, inodes);
    }

    private static Part part(Catalog catalog, Collection<String> diffIds) {
        long bytes = 0;
        long inodes = 0;
        long count = 0;
        for (String diffId : diffIds) {
            Layer layer = catalog.layers().get(diffId);
            if (layer != null) {
                bytes += layer.diskBytes();
                inodes += layer.inodes();
                count++;
            }
        }
        return new Part(count, bytes, inodes);
    }

    private static Map<String, Integer> imagesByLayer(Catalog catalog) {
        Map<String, Integer> images = new HashMap<>();
        for (StoredImage stored : catalog.images().values()) {
            new HashSet<>(stored.image().diffIds()).forEach(diffId -> images.merge(diffId, 1, Integer::sum));
        }
        return images;
    }

    private static List<Image> unused(Catalog catalog) {
        Set<String> used = new HashSet<>();
        catalog.snapshots().values().forEach(snapshot -> used.add(snapshot.imageId()));
        return catalog.images().values().stream().map(StoredImage::image)
                .filter(image -> !image.pinned() && !used.contains(image.id())).toList();
    }

    private ImageExport.Source source(Image image, List<Layers.Hold> held) throws ImageException {
        Map<String, LayerTar> tars = new LinkedHashMap<>();
        for (String diffId : image.diffIds()) {
            Layers.Hold kept = layers.keep(diffId);
            Layer layer = metadata.catalog().layers().get(diffId);
            if (kept == null || layer == null) {
                throw new ImageException(Kind.NOT_FOUND,
                        "image " + image.id() + " was removed while it was exported");
            }
            held.add(kept);
            if (layer.record() == null) {
                throw new ImageException(Kind.UNSUPPORTED, "layer " + diffId + " of image " + image.id()
                        + " was unpacked by an older Berth, which kept too little to make its tar again;"
                        + " \"berth image verify --repair\" fetches it again");
            }
            tars.put(diffId, new LayerTar(directory.layer(layer.directory()),
                    directory.record(layer.directory()), layer.record(), diffId));
        }
        return new ImageExport.Source(image, tars);
    }

    private Image put(Catalog catalog, Image image) throws ImageException {
        StoredImage stored = catalog.images().get(image.id());
        return metadata.putImage(
                new StoredImage(image, stored == null ? List.of() : stored.directories()), List.of()).image();
    }

    private static Image require(Catalog catalog, String referenceOrId) throws ImageException {
        List<Image> found = ImageLookup.all(catalog, referenceOrId);
        return switch (found.size()) {
            case 0 -> throw new ImageException(Kind.NOT_FOUND,
                    "there is no image " + referenceOrId + " on this node");
            case 1 -> found.getFirst();
            default -> throw new ImageException(Kind.INVALID, referenceOrId + " is the beginning of "
                    + found.size() + " image ids: "
                    + String.join(", ", found.stream().limit(5).map(Image::id).sorted().toList())
                    + "; give more digits");
        };
    }
}
