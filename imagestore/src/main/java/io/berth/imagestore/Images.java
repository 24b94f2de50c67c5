package io.berth.imagestore;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The images of this node. Reads answer from memory; every method may be called from any thread. */
public interface Images {
    /**
     * Pulls {@code reference} (tag or digest; docker.io name rules) and returns when the image is committed to disk. An
     * image that is already here by that digest costs one manifest request. Concurrent pulls share the work. A pull stops
     * when the calling thread is interrupted ({@link ImageException.Kind#CANCELLED}).
     *
     * @throws ImageException with the kind that says why
     */
    Image pull(String reference, RegistryAuth auth) throws ImageException;

    /** Every image, in no order. */
    List<Image> list();

    /**
     * The image of an id ({@code sha256:<hex>}, bare hex, or a unique prefix of at least 3 digits), tag or digest
     * reference; short names are expanded by the docker.io rules.
     */
    Optional<Image> find(String referenceOrId);

    /**
     * Removes what {@code referenceOrId} names: an id removes the image with all its names, a name the image too, as CRI
     * {@code RemoveImage} wants. Layers that no other image and no snapshot uses are gone from disk when it returns. Absent
     * is success. An image that a snapshot uses loses its names and record at once, its layers when the last snapshot goes.
     */
    void remove(String referenceOrId) throws ImageException;

    /** Imports an OCI archive (tar, optionally compressed), OCI layout directory or docker-archive. */
    List<Image> importFrom(Path fileOrDirectory) throws ImageException;

    /** Disk use of the store, from memory. */
    Usage usage();

    /** Directory whose filesystem holds images and snapshots. */
    Path root();

    /** Bytes and inodes in use. */
    record Usage(long bytes, long inodes) {}
}
