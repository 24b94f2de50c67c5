package io.berth.runtime.container;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.berth.cri.v1.ContainerConfig;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.RegistryAuth;
import io.berth.runtime.checkpoint.CheckpointArchive;
import io.berth.runtime.checkpoint.CheckpointDirectory;
import io.berth.runtime.checkpoint.ConfigDump;
import io.berth.runtime.lifecycle.Ids;
import io.berth.runtime.lifecycle.LifecycleException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds out whether a container is to go on from a checkpoint: its image is the absolute path of an archive, or an OCI image
 * whose manifest says by an annotation that it holds one.
 */
final class RestoreSources {
    private static final Logger log = LoggerFactory.getLogger(RestoreSources.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    /** CRI-O's older name, and the one that runtimes have agreed on. */
    private static final List<String> ANNOTATIONS = List.of("io.kubernetes.cri-o.annotations.checkpoint.name",
            "org.criu.checkpoint.container.name");

    private final ContainerDeps deps;

    RestoreSources(ContainerDeps deps) {
        this.deps = deps;
    }

    /** Where a new container's checkpoint is unpacked. While this directory exists, the container has not been started. */
    static Path directoryOf(String containerId, ContainerDeps deps) {
        return deps.layout().restore(containerId);
    }

    /**
     * Unpacks the checkpoint that {@code config} names into the directory of the container {@code id}; empty where it names
     * an ordinary image.
     */
    Optional<Restore> open(String id, ContainerConfig config) throws LifecycleException, IOException {
        String name = config.getImage().getImage();
        if (name.startsWith("/")) {
            return Optional.of(ofArchive(id, Path.of(name), false));
        }
        Optional<Image> image = deps.images().find(name);
        return image.isPresent() && isCheckpoint(image.get())
                ? Optional.of(ofImage(id, image.get(), name))
                : Optional.empty();
    }

    /** @param exact see {@link Restore} */
    Restore ofArchive(String id, Path archive, boolean exact) throws LifecycleException, IOException {
        CheckpointDirectory files = CheckpointArchive.unpack(archive, directoryOf(id, deps));
        return new Restore(files, files.readConfig(archive.toString()), archive.toString(), exact);
    }

    private Restore ofImage(String id, Image image, String name) throws LifecycleException, IOException {
        // A snapshot of its own name, which a later start cleans up should this daemon end in between.
        String key = Ids.next();
        Path mount = deps.layout().shim(id).resolve("checkpoint-image");
        try {
            deps.snapshots().prepare(key, image.id());
            deps.snapshots().mount(key, mount, true);
            CheckpointDirectory files = CheckpointArchive.copy(mount, directoryOf(id, deps));
            return new Restore(files, files.readConfig("image " + name), "image " + name, false);
        } finally {
            deps.snapshots().unmount(mount);
            deps.snapshots().remove(key);
        }
    }

    private static boolean isCheckpoint(Image image) throws IOException {
        JsonNode annotations = JSON.readTree(image.manifestJson()).path("annotations");
        return ANNOTATIONS.stream().anyMatch(annotations::has);
    }

    /**
     * The image that the checkpointed container was made from. Where it is not here, it is pulled without credentials: kubelet
     * knows only the checkpoint's own.
     *
     * @throws LifecycleException NOT_FOUND where it is neither here nor can be pulled
     */
    Image baseImage(Restore restore) throws LifecycleException {
        ConfigDump dump = restore.dump();
        for (String name : List.of(dump.imageReference(), dump.imageName(), dump.requestedImage())) {
            Optional<Image> image = name.isEmpty() ? Optional.empty() : deps.images().find(name);
            if (image.isPresent()) {
                return image.get();
            }
        }
        String reference = dump.imageReference().contains("@")
                ? dump.imageReference()
                : dump.requestedImage().isEmpty() ? dump.imageName() : dump.requestedImage();
        log.atInfo().addKeyValue("image", reference).log("pulling the image of a checkpointed container");
        try {
            return deps.images().pull(reference, RegistryAuth.NONE);
        } catch (ImageException e) {
            throw new LifecycleException(LifecycleException.Kind.NOT_FOUND, "the image \"" + reference
                    + "\", from which the container of " + restore.origin()
                    + " was made, is not on this node and cannot be pulled (" + e.getMessage()
                    + "); pull it first", e);
        }
    }
}
