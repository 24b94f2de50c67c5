package io.berth.imagestore.store;

import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import io.berth.imagestore.Verification;
import io.berth.imagestore.Verification.LayerResult;
import io.berth.imagestore.Verification.Outcome;
import io.berth.imagestore.metadata.Layer;
import io.berth.imagestore.metadata.Metadata;
import io.berth.imagestore.metadata.StoredImage;
import io.berth.imagestore.record.LayerVerifier;
import io.berth.imagestore.record.LayerVerifier.Verified;
import io.berth.imagestore.registry.Registry;
import io.berth.imagestore.registry.Resolved;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Compares images with their records, and fetches damaged layers again. */
final class Verifier {
    private static final Logger log = LoggerFactory.getLogger(Verifier.class);

    private final Metadata metadata;
    private final Layers layers;
    private final StoreDirectory directory;
    private final Registry registry;

    Verifier(Metadata metadata, Layers layers, StoreDirectory directory, Registry registry) {
        this.metadata = metadata;
        this.layers = layers;
        this.directory = directory;
        this.registry = registry;
    }

    /** How a damaged layer is to be fetched. */
    record Repair(boolean wanted, RegistryAuth auth) {}

    Verification verify(Image image, Repair repair, Verification.Listener listener) throws ImageException {
        List<LayerResult> results = new ArrayList<>();
        Set<String> diffIds = new LinkedHashSet<>(image.diffIds());
        for (String diffId : diffIds) {
            Layers.Hold kept = layers.keep(diffId);
            if (kept == null) {
                throw new ImageException(Kind.NOT_FOUND,
                        "image " + image.id() + " was removed while it was verified");
            }
            try {
                listener.layer(image.id(), diffId);
                LayerResult result = compare(diffId, listener);
                boolean whole = result.outcome() == Outcome.CLEAN;
                results.add(whole || !repair.wanted() ? result : repaired(diffId, result, repair.auth()));
            } finally {
                layers.release(List.of(kept));
            }
        }
        return new Verification(image.id(), results);
    }

    private LayerResult compare(String diffId, Verification.Listener listener) throws ImageException {
        Layer layer = metadata.catalog().layers().get(diffId);
        if (layer == null) {
            throw new IllegalStateException("layer " + diffId + " is kept and not there");
        }
        String record = layer.record();
        if (record == null) {
            listener.difference(diffId,
                    "not recorded: an older Berth has unpacked this layer; --repair fetches it again");
            return new LayerResult(diffId, Outcome.NOT_RECORDED, 0, 0, 0, "");
        }
        Verified verified = new LayerVerifier(directory.layer(layer.directory()),
                directory.record(layer.directory()), record, diffId)
                .verify(difference -> listener.difference(diffId, difference.toString()));
        if (verified.differences() > 0) {
            log.atWarn().addKeyValue("layer", diffId).addKeyValue("differences", verified.differences())
                    .log("a layer is not as it was unpacked");
        }
        return new LayerResult(diffId, verified.differences() == 0 ? Outcome.CLEAN : Outcome.DAMAGED,
                verified.files(), verified.bytes(), verified.differences(), "");
    }

    private LayerResult repaired(String diffId, LayerResult found, RegistryAuth auth) throws ImageException {
        List<String> failures = new ArrayList<>();
        for (String reference : sources(diffId)) {
            try {
                Layers.Replaced replaced = fetch(diffId, reference, auth);
                log.atInfo().addKeyValue("layer", diffId).addKeyValue("from", reference)
                        .addKeyValue("oldFilesUsedBy", replaced.snapshots()).log("layer repaired");
                return with(found, Outcome.REPAIRED, inUse(replaced.snapshots()));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ImageException(Kind.CANCELLED, "the repair of layer " + diffId + " was cancelled",
                        e);
            } catch (ImageException e) {
                if (e.kind() == Kind.CANCELLED || e.kind() == Kind.NO_SPACE) {
                    throw e;
                }
                failures.add(e.getMessage());
            }
        }
        return with(found, Outcome.NOT_REPAIRED, failures.isEmpty()
                ? "no registry is known to have it: its images were imported. Remove and import them again"
                : String.join("; ", failures));
    }

    private Layers.Replaced fetch(String diffId, String reference, RegistryAuth auth)
            throws ImageException, InterruptedException {
        Resolved resolved = registry.resolve(reference, auth);
        SharedSource source = new SharedSource(resolved);
        try {
            StoredImage stored = metadata.catalog().images().get(resolved.configDescriptor().digest());
            int index = stored == null ? -1 : stored.image().diffIds().indexOf(diffId);
            if (index < 0 || index >= resolved.layers().size()) {
                throw new ImageException(Kind.CORRUPT, reference + " leads to image "
                        + resolved.configDescriptor().digest() + " now, which does not have the layer");
            }
            return layers.replace(diffId, resolved.layers().get(index), source);
        } finally {
            source.release();
        }
    }

    /** The repo digests of every image that has the layer. */
    private Set<String> sources(String diffId) {
        Set<String> references = new LinkedHashSet<>();
        for (StoredImage stored : metadata.catalog().images().values()) {
            if (stored.image().diffIds().contains(diffId)) {
                references.addAll(stored.image().repoDigests());
            }
        }
        return references;
    }

    private static String inUse(Set<String> snapshots) {
        return snapshots.isEmpty()
                ? ""
                : "containers made before the repair go on with the damaged files until they are removed: "
                        + String.join(", ", new TreeSet<>(snapshots));
    }

    private static LayerResult with(LayerResult found, Outcome outcome, String note) {
        return new LayerResult(found.diffId(), outcome, found.files(), found.bytes(), found.differences(),
                note);
    }
}
