package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.RegistryAuth;

/** The registries of the world, as this node's configuration lets it see them. */
public interface Registry {
    /**
     * Asks what {@code canonicalReference} names now.
     *
     * @param canonicalReference fully qualified, such as {@code docker.io/library/busybox:1.37} or {@code ...@sha256:...}
     * @throws ImageException with the kind that says why; CANCELLED where the thread was interrupted
     */
    Resolved resolve(String canonicalReference, RegistryAuth auth) throws ImageException;
}
