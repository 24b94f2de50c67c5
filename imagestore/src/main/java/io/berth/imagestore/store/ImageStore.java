package io.berth.imagestore.store;

import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageStoreConfig;
import io.berth.imagestore.ImageTools;
import io.berth.imagestore.Images;
import io.berth.imagestore.RegistryAuth;
import io.berth.imagestore.Snapshots;
import io.berth.imagestore.Verification;
import io.berth.imagestore.archive.ArchivedImage;
import io.berth.imagestore.archive.Archives;
import io.berth.imagestore.metadata.Catalog;
import io.berth.imagestore.metadata.Metadata;
import io.berth.imagestore.metadata.StoredImage;
import io.berth.imagestore.registry.Registry;
import io.berth.imagestore.registry.RegistryClient;
import io.berth.imagestore.registry.RegistryOptions;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The images and snapshots of one directory. One process at a time may have it open; what an earlier one left unfinished is
 * deleted when it is opened.
 */
public final class ImageStore implements Images, ImageTools, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ImageStore.class);

    private final StoreDirectory directory;
    private final Metadata metadata;
    private final Registry registry;
    private final Layers layers;
    private final Puller puller;
    private final Verifier verifier;
    private final OperatorTools tools;
    private final OverlaySnapshots snapshots;
    private final DiskUse diskUse;
    private final MeterRegistry meters;

    private ImageStore(StoreDirectory directory, Metadata metadata, Registry registry,
            ImageStoreConfig config,
            MeterRegistry meters) {
        this.directory = directory;
        this.metadata = metadata;
        this.registry = registry;
        this.layers = new Layers(metadata, directory, config.parallelLayers(), config.limits(), meters);
        this.puller = new Puller(registry, metadata, layers, directory, Clock.systemUTC());
        this.verifier = new Verifier(metadata, layers, directory, registry);
        this.snapshots = new OverlaySnapshots(metadata, layers, directory);
        this.tools = new OperatorTools(metadata, layers, directory, snapshots);
        this.diskUse = new DiskUse(metadata, snapshots);
        this.meters = meters;
    }

    /**
     * Opens the store of {@code config} with this node's registries.
     *
     * @throws ImageException IN_USE where another process has it; INVALID where registries.conf is malformed; INTERNAL
     */
    public static ImageStore open(ImageStoreConfig config, MeterRegistry meters) throws ImageException {
        return open(config, RegistryClient.open(RegistryOptions.defaults(config.registriesConf())), meters);
    }

    /** Opens the store of {@code config} with {@code registry}. */
    public static ImageStore open(ImageStoreConfig config, Registry registry, MeterRegistry meters)
            throws ImageException {
        StoreDirectory directory = StoreDirectory.open(config.root());
        try {
            Metadata metadata = Metadata.open(directory.database(),
                    canonical(config.pinned(), registry)::contains);
            try {
                directory.sweep(metadata.catalog());
                ImageStore store = new ImageStore(directory, metadata, registry, config, meters);
                store.layers.collect();
                return store;
            } catch (ImageException | RuntimeException e) {
                metadata.close();
                throw e;
            }
        } catch (ImageException | RuntimeException e) {
            directory.close();
            throw e;
        }
    }

    /** The snapshots of this store. */
    public Snapshots snapshots() {
        return snapshots;
    }

    @Override
    public Image pull(String reference, RegistryAuth auth) throws ImageException {
        return pull(reference, auth, layerProgress -> {});
    }

    @Override
    public Image pull(String reference, RegistryAuth auth, PullListener listener) throws ImageException {
        Timer.Sample sample = Timer.start(meters);
        String outcome = "OK";
        try {
            Image image = puller.pull(reference, auth, listener);
            log.atInfo().addKeyValue("reference", reference).addKeyValue("image", image.id())
                    .log("image pulled");
            return image;
        } catch (ImageException e) {
            outcome = e.kind().name();
            throw e;
        } finally {
            sample.stop(meters.timer("berth.image.pull", "outcome", outcome));
        }
    }

    @Override
    public List<Image> list() {
        return metadata.catalog().images().values().stream().map(StoredImage::image).toList();
    }

    @Override
    public Optional<Image> find(String referenceOrId) {
        return find(metadata.catalog(), referenceOrId);
    }

    @Override
    public void remove(String referenceOrId) throws ImageException {
        boolean found = layers.locked(catalog -> {
            Optional<Image> image = find(catalog, referenceOrId);
            if (image.isPresent()) {
                metadata.removeImage(image.get().id());
                log.atInfo().addKeyValue("image", image.get().id())
                        .addKeyValue("names", image.get().repoTags())
                        .log("image removed");
            }
            return image.isPresent();
        });
        if (found) {
            layers.collect();
        }
    }

    @Override
    public List<Image> importFrom(Path fileOrDirectory) throws ImageException {
        List<Image> images = new ArrayList<>();
        Path scratch = directory.newIngest(directory.newName());
        try (Archives archives = Archives.open(fileOrDirectory, scratch)) {
            for (ArchivedImage archived : archives.images()) {
                images.add(puller.take(archived, new Puller.Names(archived.tags(), archived.digests()),
                        layerProgress -> {}));
            }
        } finally {
            directory.delete(scratch);
        }
        return images;
    }

    @Override
    public Verification verify(String referenceOrId, boolean repair, RegistryAuth auth,
            Verification.Listener listener) throws ImageException {
        return verifier.verify(require(referenceOrId), new Verifier.Repair(repair, auth), listener);
    }

    @Override
    public Image require(String referenceOrId) throws ImageException {
        return tools.require(referenceOrId);
    }

    @Override
    public void exportTo(List<String> referencesOrIds, Path target, ExportFormat format)
            throws ImageException {
        tools.exportTo(referencesOrIds, target, format);
    }

    @Override
    public Image tag(String referenceOrId, String tag) throws ImageException {
        return tools.tag(referenceOrId, tag);
    }

    @Override
    public Image untag(String name) throws ImageException {
        return tools.untag(name);
    }

    @Override
    public ImageUse use(Image image) {
        return tools.use(image);
    }

    @Override
    public List<Image> prune(boolean all, boolean dryRun) throws ImageException {
        List<Image> images = tools.prune(all, dryRun);
        if (!dryRun) {
            images.forEach(image -> log.atInfo().addKeyValue("image", image.id())
                    .addKeyValue("names", image.repoTags()).log("image pruned"));
        }
        return images;
    }

    @Override
    public DiskReport diskReport() {
        return tools.diskReport();
    }

    @Override
    public Usage usage() {
        return diskUse.total();
    }

    @Override
    public Path root() {
        return directory.root();
    }

    /** Closes the database and gives up the lock. Pulls under way fail. */
    @Override
    public void close() {
        metadata.close();
        directory.close();
    }

    /** How often layers under way are wanted, over all pulls. */
    int waitingForLayers() {
        return layers.waiting();
    }

    private Optional<Image> find(Catalog catalog, String referenceOrId) {
        Optional<Image> found = ImageLookup.find(catalog, referenceOrId);
        return found.isPresent() ? found : ImageLookup.find(catalog, aliased(referenceOrId));
    }

    /** What a short name stands for on this node; anything else as it is. */
    private String aliased(String text) {
        try {
            return registry.name(text).canonical();
        } catch (ImageException e) {
            // An id, or nothing: the lookup has said so.
            return text;
        }
    }

    private static Set<String> canonical(Set<String> names, Registry registry) throws ImageException {
        Set<String> canonical = new HashSet<>();
        for (String name : names) {
            canonical.add(registry.name(name).canonical());
        }
        return canonical;
    }
}
