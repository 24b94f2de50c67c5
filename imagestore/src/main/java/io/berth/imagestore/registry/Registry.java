package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.RegistryAuth;

/** Finds images in registries. Safe for use by many threads; calls block and stop when the thread is interrupted. */
public interface Registry {
    /**
     * The image that {@code text} names on this node, by the rules of {@link ImageReference#parse} and the node's aliases
     * of short names.
     *
     * @throws ImageException INVALID
     */
    default ImageReference name(String text) throws ImageException {
        return ImageReference.parse(text);
    }

    /**
     * Finds the manifest of this node's platform that {@code reference} names, and reads and verifies it. Blobs are not
     * touched.
     *
     * @param reference any form that {@link #name} takes
     * @param auth credentials for this call and for the blobs of what it returns
     * @throws ImageException INVALID (reference or configuration), NOT_FOUND, UNAUTHORIZED, UNAVAILABLE, CORRUPT,
     *     UNSUPPORTED (schema 1, artifact, no manifest for this platform), FORBIDDEN (blocked registry), SIGNATURE (rejected
     *     by the signature policy), CANCELLED
     */
    Resolved resolve(String reference, RegistryAuth auth) throws ImageException;
}
