package io.berth.imagestore.registry;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How containerd's {@code hosts.toml} wants one host to be spoken to. Its text form hides the headers, which may hold
 * secrets.
 *
 * @param scheme {@code http} or {@code https}; null to find out as for any registry
 * @param path of the API, such as {@code /v2}
 * @param namespace the registry that this host stands in for, sent as {@code ns}; null for the registry itself
 * @param resolves whether it may be asked which digest a tag has
 * @param pulls whether manifests by digest and blobs may be taken from it
 * @param headers sent with every request to this host, and to no other
 */
record HostAccess(@Nullable String scheme, String path, @Nullable String namespace, boolean resolves,
        boolean pulls, Map<String, List<String>> headers, HostTls tls) {
    HostAccess {
        headers = Map.copyOf(headers);
    }

    /**
     * @param authorities PEM files of certificate authorities, trusted beside the node's
     * @param identities client certificates
     * @param skipVerify accept any certificate
     * @param connectTimeout for one connection; null for the usual one
     */
    record HostTls(List<Path> authorities, List<Identity> identities, boolean skipVerify,
            @Nullable Duration connectTimeout) {
        static final HostTls NONE = new HostTls(List.of(), List.of(), false, null);

        HostTls {
            authorities = List.copyOf(authorities);
            identities = List.copyOf(identities);
        }
    }

    /** @param key may be the file of the certificate */
    record Identity(Path certificate, Path key) {}

    @Override
    public String toString() {
        return "HostAccess[" + path + "]";
    }
}
