package io.berth.imagestore.registry;

import java.net.InetAddress;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * One place where a repository can be asked for: the registry itself, or a mirror of it.
 *
 * @param host host with its port where one was given, as registries.conf and certificate directories name it
 * @param repository path of the repository there
 * @param insecure whether plain http, and https without verified certificates, are allowed
 * @param access what containerd's hosts.toml says of it; null where it says nothing
 */
record Endpoint(String host, String repository, boolean insecure, @Nullable HostAccess access) {
    Endpoint(String host, String repository, boolean insecure) {
        this(host, repository, insecure, null);
    }

    /** Whether it may be asked which digest a tag has. */
    boolean resolves() {
        return access == null || access.resolves();
    }

    /** Whether manifests by digest and blobs may be taken from it. */
    boolean pulls() {
        return access == null || access.pulls();
    }

    /** Host to speak to: Docker Hub's API lives beside its name. */
    String apiHost() {
        return host.equals("docker.io") ? "registry-1.docker.io" : host;
    }

    /** Whether the host is this machine, where plain http hides nothing from anybody. */
    boolean loopback() {
        String name = hostName();
        if (name.equals("localhost") || name.endsWith(".localhost")) {
            return true;
        }
        boolean literal = name.indexOf(':') >= 0
                || name.chars().allMatch(c -> c == '.' || (c >= '0' && c <= '9'));
        try {
            return literal && InetAddress.ofLiteral(name).isLoopbackAddress();
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private String hostName() {
        String name = host.toLowerCase(Locale.ROOT);
        if (name.startsWith("[")) {
            return name.substring(1, name.indexOf(']'));
        }
        int colon = name.indexOf(':');
        return colon < 0 ? name : name.substring(0, colon);
    }

    @Override
    public String toString() {
        return apiHost();
    }
}
