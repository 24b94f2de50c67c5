package io.berth.imagestore;

import io.berth.linux.Fd;
import io.berth.linux.IdMaps;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Writable overlay snapshots on top of an image's layers, one for each container, named by a key that the caller chooses
 * (the container's id). They are recorded durably and hold their layers.
 */
public interface Snapshots {
    /**
     * Makes the snapshot {@code key} over the layers of {@code imageId}, or returns the one that is there. Copies nothing.
     *
     * @param owners the IDs of the user namespace for which it is; what is written into the writable layer belongs to those
     *        outside
     * @throws ImageException NOT_FOUND where the image is absent, NO_SPACE, INTERNAL
     */
    Snapshot prepare(String key, String imageId, Optional<IdMaps> owners) throws ImageException;

    /** The same for the node's own user namespace. */
    default Snapshot prepare(String key, String imageId) throws ImageException {
        return prepare(key, imageId, Optional.empty());
    }

    /** Mounts the overlay at {@code target} (made if absent). Already mounted there is success. */
    void mount(String key, Path target, MountOptions options) throws ImageException;

    /** The same for the node's own user namespace, without SELinux. */
    default void mount(String key, Path target, boolean readOnly) throws ImageException {
        mount(key, target, new MountOptions(readOnly, Optional.empty(), Optional.empty()));
    }

    /**
     * How an overlay is mounted.
     *
     * @param userNamespace the user namespace with the maps of {@link #prepare}, in which the image's files have the owners
     *        that the image says
     * @param selinuxContext the SELinux context that all files have there, whatever they have on disk
     */
    record MountOptions(boolean readOnly, Optional<Fd> userNamespace, Optional<String> selinuxContext) {}

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
