package io.berth.imagestore.registry;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How this node speaks to registries.
 *
 * @param registriesConf containers-registries.conf(5); null or an absent file for the defaults. Read anew for each pull
 * @param certificateDirectories containers-certs.d(5) directories, the first that has a registry's wins
 * @param platform the platform whose manifests are chosen
 * @param environment where {@code HTTP_PROXY}, {@code HTTPS_PROXY}, {@code NO_PROXY} and {@code SSL_CERT_FILE} are looked up
 * @param connectTimeout for one connection, with its TLS handshake
 * @param stallTimeout how long a registry may send nothing at all
 * @param attempts how often a request is made before its failure counts
 * @param firstPause before the second attempt; it doubles with each, and is spread by chance
 * @param longestPause more than this is never waited, even where the registry asks for it by {@code Retry-After}
 */
public record RegistryOptions(@Nullable Path registriesConf, List<Path> certificateDirectories,
        Platform platform,
        Map<String, String> environment, Duration connectTimeout, Duration stallTimeout, int attempts,
        Duration firstPause, Duration longestPause) {
    public RegistryOptions {
        certificateDirectories = List.copyOf(certificateDirectories);
        environment = Map.copyOf(environment);
    }

    /** What a node uses where its operator says nothing else. */
    public static RegistryOptions defaults(@Nullable Path registriesConf) {
        return new RegistryOptions(registriesConf,
                List.of(Path.of("/etc/containers/certs.d"), Path.of("/etc/docker/certs.d")),
                Platform.ofThisNode(), System.getenv(), Duration.ofSeconds(15), Duration.ofSeconds(30), 6,
                Duration.ofMillis(250), Duration.ofSeconds(30));
    }
}
