package io.berth.imagestore;

import java.nio.file.Path;
import java.util.List;

/**
 * Writable overlay snapshots on top of an image's layers, one for each container, named by a key that the caller chooses
 * (the container's id). They are recorded durably and hold their layers.
 */
public interface Snapshots {
    /**
     * Makes the snapshot {@code key} over the layers of {@code imageId}, or returns the one that is there. Copies nothing.
     *
     * @throws ImageException NOT_FOUND where the image is absent, NO_SPACE, INTERNAL
     */
    Snapshot prepare(String key, String imageId) throws ImageException;

    /** Mounts the overlay at {@code target} (made if absent). Already mounted there is success. */
    void mount(String key, Path target, boolean readOnly) throws ImageException;

    /** Lazily unmounts {@code target}; not mounted is success. */
    void unmount(Path target) throws ImageException;

    /** Deletes the snapshot and its files; absent is success. The target must be unmounted. */
    void remove(String key) throws ImageException;

    /** The keys of all snapshots, for the owner to find those it no longer knows. */
    List<String> keys();

    /** Bytes and inodes of the writable layer, by walking it; zero where absent. */
    Images.Usage usage(String key);

    /**
     * @param lower layer directories, topmost first
     * @param upper the writable layer
     * @param work overlayfs' work directory
     */
    record Snapshot(String key, String imageId, List<Path> lower, Path upper, Path work) {}
}
