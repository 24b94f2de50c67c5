package io.berth.imagestore.registry;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The files in which a node's operator says how registries are used. All are read anew for each pull.
 *
 * @param registriesConf containers-registries.conf(5); null or an absent file for the defaults
 * @param hostsDirectories containerd's {@code certs.d} directories, the first that has a registry's wins; a registry for
 *     which registriesConf has a table is not looked up here
 * @param certificateDirectories containers-certs.d(5) directories, the first that has a registry's wins
 * @param authFile credentials of this node: docker's config.json or containers-auth.json(5); null or absent for none
 * @param signaturePolicy containers-policy.json(5), which must exist; null for {@link #USUAL_POLICY} where it exists
 */
public record RegistryFiles(@Nullable Path registriesConf, List<Path> hostsDirectories,
        List<Path> certificateDirectories, @Nullable Path authFile, @Nullable Path signaturePolicy) {
    /** Where containers-policy.json(5) says that the policy is. */
    public static final Path USUAL_POLICY = Path.of("/etc/containers/policy.json");

    public RegistryFiles {
        hostsDirectories = List.copyOf(hostsDirectories);
        certificateDirectories = List.copyOf(certificateDirectories);
    }

    /** The usual places, with {@code registriesConf} for the registries. */
    public static RegistryFiles usual(@Nullable Path registriesConf) {
        return new RegistryFiles(registriesConf, List.of(Path.of("/etc/containerd/certs.d")),
                List.of(Path.of("/etc/containers/certs.d"), Path.of("/etc/docker/certs.d")), null, null);
    }
}
