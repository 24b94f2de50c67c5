package io.berth.imagestore.metadata;

import java.util.Set;

/**
 * Files of a layer that was repaired while containers used it. They go with the last of these containers.
 *
 * @param directory its short name below {@code layers/}
 * @param snapshots keys of the snapshots that may be mounted over it
 */
public record RetiredLayer(String directory, String diffId, Set<String> snapshots) {
    public RetiredLayer {
        snapshots = Set.copyOf(snapshots);
    }
}
