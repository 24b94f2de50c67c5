package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.RegistryAuth;

/** Finds images in registries. Safe for use by many threads; calls block and stop when the thread is interrupted. */
public interface Registry {
    /**
     * Finds the manifest of this node's platform that {@code reference} names, and reads and verifies it. Blobs are not
     * touched.
     *
     * @param reference any form that {@link ImageReference#parse} takes
     * @param auth credentials for this call and for the blobs of what it returns
     * @throws ImageException INVALID (reference or configuration), NOT_FOUND, UNAUTHORIZED, UNAVAILABLE, CORRUPT,
     *     UNSUPPORTED (schema 1, artifact, no manifest for this platform), FORBIDDEN (blocked registry), CANCELLED
     */
    Resolved resolve(String reference, RegistryAuth auth) throws ImageException;
}
