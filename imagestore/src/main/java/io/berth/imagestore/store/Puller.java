package io.berth.imagestore.store;

import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.ImageTools.LayerProgress;
import io.berth.imagestore.ImageTools.PullListener;
import io.berth.imagestore.RegistryAuth;
import io.berth.imagestore.metadata.ConfigDocument;
import io.berth.imagestore.metadata.ImageNames;
import io.berth.imagestore.metadata.Metadata;
import io.berth.imagestore.metadata.StoredImage;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.registry.Digest;
import io.berth.imagestore.registry.ImageReference;
import io.berth.imagestore.registry.ManifestDocument;
import io.berth.imagestore.registry.Registry;
import io.berth.imagestore.registry.Resolved;
import io.berth.imagestore.unpack.UnpackedLayer;
import io.berth.linux.Fd;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Brings images from their sources into the store: whole, or not at all. */
final class Puller {
    private final Registry registry;
    private final Metadata metadata;
    private final Layers layers;
    private final StoreDirectory directory;
    private final Clock clock;

    Puller(Registry registry, Metadata metadata, Layers layers, StoreDirectory directory, Clock clock) {
        this.registry = registry;
        this.metadata = metadata;
        this.layers = layers;
        this.directory = directory;
        this.clock = clock;
    }

    /** What an image is to be called. */
    record Names(List<String> tags, List<String> digests) {
        static Names of(Resolved resolved) {
            ImageReference reference = resolved.reference();
            // A digest beside a tag wins, and the tag is not known to name it: as docker and containerd do.
            List<String> tags = reference.digest() == null ? List.of(reference.canonical()) : List.of();
            return new Names(tags, List.of(reference.name() + "@" + resolved.digest()));
        }
    }

    Image pull(String reference, RegistryAuth auth, PullListener listener) throws ImageException {
        String canonical = registry.name(reference).canonical();
        Resolved resolved = registry.resolve(canonical, auth);
        return take(resolved, Names.of(resolved), listener);
    }

    /** Takes the image of {@code resolved}, which is closed. */
    Image take(Resolved resolved, Names names, PullListener listener) throws ImageException {
        SharedSource source = new SharedSource(resolved);
        try {
            StoredImage known = knownByManifest(resolved.manifestDigest());
            Optional<Image> named = known == null ? Optional.empty() : named(known, names);
            return named.isPresent() ? named.get() : takeUnknown(source, names, listener);
        } finally {
            source.release();
        }
    }

    private Image takeUnknown(SharedSource source, Names names, PullListener listener) throws ImageException {
        Resolved resolved = source.resolved();
        String id = resolved.configDescriptor().digest();
        String configJson = new String(resolved.readConfig(), StandardCharsets.UTF_8);
        ConfigDocument config = ConfigDocument.parse(id, configJson);
        List<String> diffIds = config.diffIds();
        List<Descriptor> blobs = resolved.layers();
        if (diffIds.size() != blobs.size()) {
            throw new ImageException(Kind.CORRUPT,
                    "image " + resolved.reference() + ": its manifest has " + blobs.size()
                            + " layers, its config " + diffIds.size()
                            + " diff_ids; it must be built and pushed again");
        }
        for (Descriptor blob : blobs) {
            checkMediaType(resolved, blob);
        }
        Image image = new Image(id, names.tags(), names.digests(), size(resolved), config.config(),
                resolved.manifestDigest(), new String(resolved.manifest(), StandardCharsets.UTF_8),
                configJson, diffIds,
                false, clock.instant());
        List<Layers.Hold> held = new ArrayList<>();
        try (Fd filesystem = directory.openForSync()) {
            Map<String, UnpackedLayer> unpacked = new HashMap<>();
            for (int i = 0; i < blobs.size(); i++) {
                held.add(layers.hold(diffIds.get(i), blobs.get(i), source));
            }
            listener.layers(progress(blobs, held));
            CompletableFuture<Void> fault = firstFault(held);
            for (int i = 0; i < blobs.size(); i++) {
                await(held, i, blobs.get(i), source, unpacked, fault);
            }
            if (Thread.currentThread().isInterrupted()) {
                throw cancelled(source, null);
            }
            return layers
                    .commit(new StoredImage(withEarlierNames(image), List.of()), held, unpacked, filesystem)
                    .image();
        } finally {
            layers.release(held);
        }
    }

    private static List<LayerProgress> progress(List<Descriptor> blobs, List<Layers.Hold> held) {
        List<LayerProgress> progress = new ArrayList<>();
        for (int i = 0; i < blobs.size(); i++) {
            Layers.Hold hold = held.get(i);
            progress.add(new PulledLayer(blobs.get(i), hold.own() ? hold.task() : null));
        }
        return progress;
    }

    /** Fails with the first layer that this pull's own source feeds: without it, the rest is fetched for nothing. */
    private static CompletableFuture<Void> firstFault(List<Layers.Hold> held) {
        CompletableFuture<Void> fault = new CompletableFuture<>();
        for (Layers.Hold hold : held) {
            if (hold.own() && hold.task() != null) {
                hold.task().tellFailure(fault);
            }
        }
        return fault;
    }

    private void await(List<Layers.Hold> held, int index, Descriptor blob, SharedSource source,
            Map<String, UnpackedLayer> unpacked, CompletableFuture<Void> fault) throws ImageException {
        Layers.Hold hold = held.get(index);
        LayerTask task = hold.task();
        if (task == null) {
            return;
        }
        try {
            unpacked.put(hold.diffId(), task.await(fault));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw cancelled(source, e);
        } catch (ImageException e) {
            if (hold.own() || fault.isCompletedExceptionally()) {
                throw e;
            }
            // It failed with another pull's credentials or connection; this one's may do better.
            Layers.Hold again = layers.hold(hold.diffId(), blob, source);
            held.add(again);
            held.set(index, again);
            held.set(held.size() - 1, hold);
            await(held, index, blob, source, unpacked, fault);
        }
    }

    private static ImageException cancelled(SharedSource source, @Nullable InterruptedException cause) {
        return new ImageException(Kind.CANCELLED,
                "the pull of " + source.resolved().reference() + " was cancelled", cause);
    }

    private @Nullable StoredImage knownByManifest(String manifestDigest) {
        return metadata.catalog().images().values().stream()
                .filter(stored -> stored.image().manifestDigest().equals(manifestDigest)).findFirst()
                .orElse(null);
    }

    /** Gives names to an image that was there; empty where it has been removed meanwhile. */
    private Optional<Image> named(StoredImage known, Names names) throws ImageException {
        return layers.locked(catalog -> {
            StoredImage now = catalog.images().get(known.image().id());
            if (now == null) {
                return Optional.empty();
            }
            Image renamed = ImageNames.adding(now.image(), names.tags(), names.digests());
            return Optional.of(renamed.equals(now.image())
                    ? now.image()
                    : metadata.putImage(new StoredImage(renamed, now.directories()), List.of()).image());
        });
    }

    /** The same config may have come before, by another manifest and under other names. */
    private Image withEarlierNames(Image image) {
        StoredImage earlier = metadata.catalog().images().get(image.id());
        return earlier == null
                ? image
                : ImageNames.adding(image, earlier.image().repoTags(), earlier.image().repoDigests());
    }

    /** As its manifest says, which for an export of Berth is not that of the archive. */
    private static long size(Resolved resolved) throws ImageException {
        byte[] bytes = resolved.manifest();
        ManifestDocument manifest = ManifestDocument.parse(Digest.parse(resolved.manifestDigest()),
                resolved.manifestMediaType(), bytes);
        return bytes.length + manifest.config().size()
                + manifest.layers().stream().mapToLong(Descriptor::size).sum();
    }

    private static void checkMediaType(Resolved resolved, Descriptor blob) throws ImageException {
        String type = blob.mediaType();
        boolean tar = type.startsWith("application/vnd.oci.image.layer.")
                || type.startsWith("application/vnd.docker.image.rootfs.");
        if (!tar || type.endsWith("+encrypted")) {
            throw new ImageException(Kind.UNSUPPORTED,
                    "image " + resolved.reference() + " has a layer of media type "
                            + type
                            + ", which Berth cannot unpack; it unpacks tar, plain or with gzip or zstd");
        }
    }
}
