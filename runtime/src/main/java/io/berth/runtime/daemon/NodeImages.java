package io.berth.runtime.daemon;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageStoreConfig;
import io.berth.imagestore.registry.RegistryClient;
import io.berth.imagestore.registry.RegistryFiles;
import io.berth.imagestore.registry.RegistryOptions;
import io.berth.imagestore.store.ImageStore;
import io.berth.runtime.config.BerthConfig;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.HashMap;
import java.util.Map;
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
        var files = new RegistryFiles(registry.registriesConf(), registry.hostsDirs(), registry.certsDirs(),
                registry.authFile().orElse(null), registry.signaturePolicy().orElse(null));
        var options = RegistryOptions.defaults(files, environment(registry.proxies(), System.getenv()));
        return ImageStore.open(
                new ImageStoreConfig(config.root().resolve("images"), registry.registriesConf(),
                        registry.parallelLayers(), Set.copyOf(registry.pinned()), config.limits().layer()),
                RegistryClient.open(options), meters);
    }

    /** An environment with the configuration's proxies in place of its own. */
    static Map<String, String> environment(BerthConfig.Proxies proxies, Map<String, String> inherited) {
        Map<String, String> environment = new HashMap<>(inherited);
        Map.of("HTTP_PROXY", proxies.http(), "HTTPS_PROXY", proxies.https(), "NO_PROXY",
                String.join(",", proxies.none())).forEach((variable, value) -> {
                    if (!value.isEmpty()) {
                        environment.put(variable, value);
                    }
                });
        return environment;
    }
}
