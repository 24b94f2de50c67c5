package io.berth.imagestore;

/** What a node's operator does with images and no kubelet asks for. Any thread may call. */
public interface ImageTools {
    /**
     * Compares every file of the image's layers with what was recorded when they were unpacked.
     *
     * @param repair fetch damaged and unrecorded layers again, from the image's repo digests with {@code auth}. Containers that
     *     run keep the files they have; those made later get the new ones
     * @throws ImageException NOT_FOUND where the image is absent, NO_SPACE, CANCELLED
     */
    Verification verify(String referenceOrId, boolean repair, RegistryAuth auth,
            Verification.Listener listener) throws ImageException;
}
