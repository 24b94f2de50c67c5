package io.berth.imagestore.registry;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How this node speaks to registries.
 *
 * @param platform the platform whose manifests are chosen
 * @param environment where {@code HTTP_PROXY}, {@code HTTPS_PROXY}, {@code NO_PROXY}, {@code SSL_CERT_FILE} and the
 *     {@code PATH} of credential helpers are looked up
 * @param connectTimeout for one connection, with its TLS handshake
 * @param stallTimeout how long a registry may send nothing at all
 * @param attempts how often a request is made before its failure counts
 * @param firstPause before the second attempt; it doubles with each, and is spread by chance
 * @param longestPause more than this is never waited, even where the registry asks for it by {@code Retry-After}
 */
public record RegistryOptions(RegistryFiles files, Platform platform, Map<String, String> environment,
        Duration connectTimeout, Duration stallTimeout, int attempts, Duration firstPause,
        Duration longestPause) {
    public RegistryOptions {
        environment = Map.copyOf(environment);
    }

    /** What a node uses where its operator says nothing else. */
    public static RegistryOptions defaults(@Nullable Path registriesConf) {
        return defaults(RegistryFiles.usual(registriesConf), System.getenv());
    }

    /** As {@link #defaults(Path)}, with the operator's {@code files} and environment. */
    public static RegistryOptions defaults(RegistryFiles files, Map<String, String> environment) {
        return new RegistryOptions(files, Platform.ofThisNode(), environment, Duration.ofSeconds(15),
                Duration.ofSeconds(30), 6, Duration.ofMillis(250), Duration.ofSeconds(30));
    }
}
