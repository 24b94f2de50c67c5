package io.berth.imagestore;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/**
 * What a node's operator does with images and no kubelet asks for. Any thread may call. An image is named by its id or at
 * least 3 digits of it, a tag or a digest, as in {@link Images#find}; NOT_FOUND where there is none, INVALID where it is
 * more than one.
 */
public interface ImageTools {
    /**
     * The one image of that name.
     *
     * @throws ImageException NOT_FOUND; INVALID where a part of an id fits several, which are named
     */
    Image require(String referenceOrId) throws ImageException;

    /**
     * As {@link Images#pull}, with news of its layers.
     *
     * @param listener hears once of the layers; never where the image is here already
     */
    Image pull(String reference, RegistryAuth auth, PullListener listener) throws ImageException;

    /** Hears of a pull. */
    @FunctionalInterface
    interface PullListener {
        /** The layers of the image, base first. Each tells how far it is until the pull returns, and after. */
        void layers(List<LayerProgress> layers);
    }

    /** One layer on its way; any thread may ask. */
    interface LayerProgress {
        /** Digest of its blob. */
        String digest();

        /** Bytes of its blob. */
        long sizeBytes();

        /** Bytes that have come and were unpacked. */
        long receivedBytes();

        /** How far it is. */
        State state();

        /** In this order. */
        enum State {
            /** For a place among the layers that are fetched at one time. */
            WAITING, FETCHING, UNPACKED,
            /** The layer was here, or another pull is fetching it. */
            SHARED
        }
    }

    /**
     * Compares every file of the image's layers with what was recorded when they were unpacked.
     *
     * @param repair fetch damaged and unrecorded layers again, from the image's repo digests with {@code auth}. Containers that
     *     run keep the files they have; those made later get the new ones
     * @throws ImageException NOT_FOUND where the image is absent, NO_SPACE, CANCELLED
     */
    Verification verify(String referenceOrId, boolean repair, RegistryAuth auth,
            Verification.Listener listener) throws ImageException;

    /** What an export writes. */
    enum ExportFormat {
        /** A tar of an OCI image layout. */
        OCI_ARCHIVE,
        /** An OCI image layout, as a directory. */
        OCI_LAYOUT,
        /** A tar as {@code docker save} writes it. */
        DOCKER_ARCHIVE
    }

    /**
     * Writes images to a file or directory. What is imported from it has the same image ids, diff ids and, but for
     * docker-archives, manifest digests; exporting the same images again gives the same bytes.
     *
     * @param target absolute; a file is replaced, a directory must be absent or empty
     * @throws ImageException CORRUPT where an image is not as it was unpacked, UNSUPPORTED where a layer is not recorded,
     *     NO_SPACE
     */
    void exportTo(List<String> referencesOrIds, Path target, ExportFormat format) throws ImageException;

    /** Gives the image one more tag, which moves here from any other image. */
    Image tag(String referenceOrId, String tag) throws ImageException;

    /**
     * Takes one name, a tag or digest, away from its image, which stays.
     *
     * @throws ImageException NOT_FOUND where no image has it
     */
    Image untag(String name) throws ImageException;

    /** What the image is made of, and who uses it. */
    ImageUse use(Image image);

    /**
     * @param layers base first
     * @param snapshots keys of the snapshots made of it: containers' ids
     */
    record ImageUse(Image image, List<LayerUse> layers, Set<String> snapshots) {
        public ImageUse {
            layers = List.copyOf(layers);
            snapshots = Set.copyOf(snapshots);
        }
    }

    /**
     * A layer on disk.
     *
     * @param diskBytes what its files and its record take
     * @param recorded whether it can be verified
     * @param images how many images have it
     */
    record LayerUse(String diffId, long diskBytes, long inodes, boolean recorded, int images) {}

    /**
     * Removes the images that no container uses and that are not pinned.
     *
     * @param all those with tags, too
     * @param dryRun only tell which
     */
    List<Image> prune(boolean all, boolean dryRun) throws ImageException;

    /** What takes how much of the disk; writable layers are walked for it. */
    DiskReport diskReport();

    /**
     * @param layers each once
     * @param shared those of the layers that several images have
     * @param unused of layers that would go with {@link #prune} of all
     * @param writable of snapshots
     */
    record DiskReport(long images, Part layers, Part shared, Part unused, Part writable) {}

    /** Some of the disk. */
    record Part(long count, long bytes, long inodes) {}
}
