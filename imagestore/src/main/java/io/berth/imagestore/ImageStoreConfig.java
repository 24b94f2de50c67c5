package io.berth.imagestore;

import java.nio.file.Path;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * @param root directory of the store, made if absent ({@code <daemon root>/images})
 * @param registriesConf containers registries.conf v2; null or absent file for the defaults
 * @param parallelLayers layers downloaded and unpacked at the same time, over all pulls
 * @param pinned references that are never removed by garbage collection
 * @param limits what a layer may at most contain
 */
public record ImageStoreConfig(Path root, @Nullable Path registriesConf, int parallelLayers,
        Set<String> pinned, LayerLimits limits) {
    public ImageStoreConfig(Path root, @Nullable Path registriesConf, int parallelLayers,
            Set<String> pinned) {
        this(root, registriesConf, parallelLayers, pinned, LayerLimits.DEFAULT);
    }
}
