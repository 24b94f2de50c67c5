package io.berth.runtime.daemon;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageStoreConfig;
import io.berth.imagestore.registry.RegistryClient;
import io.berth.imagestore.registry.RegistryOptions;
import io.berth.imagestore.store.ImageStore;
import io.berth.runtime.config.BerthConfig;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.Set;

/** The image store of a configuration: for the daemon, and for a command while no daemon runs. */
public final class NodeImages {
    private NodeImages() {}

    /**
     * Opens {@code <root>/images}; the caller holds the lock of root.
     *
     * @throws ImageException as {@link ImageStore#open}
     */
    public static ImageStore open(BerthConfig config, MeterRegistry meters) throws ImageException {
        BerthConfig.Registry registry = config.registry();
        RegistryOptions usual = RegistryOptions.defaults(registry.registriesConf());
        var options = new RegistryOptions(usual.registriesConf(), registry.certsDirs(), usual.platform(),
                usual.environment(), usual.connectTimeout(), usual.stallTimeout(), usual.attempts(),
                usual.firstPause(),
                usual.longestPause());
        return ImageStore.open(
                new ImageStoreConfig(config.root().resolve("images"), registry.registriesConf(),
                        registry.parallelLayers(), Set.copyOf(registry.pinned())),
                RegistryClient.open(options), meters);
    }
}
