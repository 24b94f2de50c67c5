package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.registry.HostAccess.HostTls;
import io.berth.imagestore.registry.HostAccess.Identity;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.tomlj.TomlArray;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;

/**
 * containerd's {@code certs.d/<registry>/hosts.toml}: the hosts to ask in place of a registry, in the order of the file, and
 * the registry itself, or its {@code server}, last. A key that containerd does not have is an error: it would be a
 * misspelt security setting.
 */
final class HostsToml {
    private static final String NAME = "hosts.toml";
    private static final Set<String> HOST_KEYS = Set.of("capabilities", "ca", "client", "skip_verify",
            "header",
            "override_path", "dial_timeout");
    private static final Pattern DURATION_PART = Pattern.compile("([0-9]{1,6})(ms|s|m|h)");

    /** One host as the file has it; {@code authority} null for the registry that is asked for. */
    private record Host(@Nullable String authority, HostAccess access) {}

    private final List<Host> hosts;

    private HostsToml(List<Host> hosts) {
        this.hosts = List.copyOf(hosts);
    }

    /**
     * Reads what the first of {@code directories} that knows {@code registry} has for it, else {@code _default}; null
     * where there is no file. As in containerd a directory's {@code host_port_} comes before {@code host:port}.
     *
     * @throws ImageException INVALID, naming file and line
     */
    static @Nullable HostsToml read(List<Path> directories, String registry) throws ImageException {
        for (Path directory : directories) {
            for (String name : names(registry)) {
                Path own = directory.resolve(name);
                if (Files.isDirectory(own)) {
                    Path file = own.resolve(NAME);
                    // A directory without the file holds certificates alone, which Certificates finds.
                    return Files.exists(file) ? of(TomlFile.read(file)) : null;
                }
            }
        }
        return null;
    }

    /** Reads one file. */
    static HostsToml of(TomlFile file) throws ImageException {
        return new HostsToml(hosts(file));
    }

    /** The names that a registry's directory may have, the first that is there counts. */
    static List<String> names(String registry) {
        int colon = registry.lastIndexOf(':');
        boolean port = colon > 0 && colon > registry.lastIndexOf(']');
        return port
                ? List.of(registry.substring(0, colon) + "_" + registry.substring(colon + 1) + "_", registry,
                        "_default")
                : List.of(registry, "_default");
    }

    /** Where to ask for {@code reference}, in order. */
    List<Endpoint> endpoints(ImageReference reference) {
        List<Endpoint> endpoints = new ArrayList<>();
        for (Host host : hosts) {
            String authority = Objects.requireNonNullElse(host.authority(), reference.registry());
            HostAccess access = host.access();
            boolean itself = Credentials.host(authority).equals(Credentials.host(reference.registry()));
            endpoints.add(new Endpoint(authority, reference.repository(), false,
                    new HostAccess(access.scheme(), access.path(), itself ? null : reference.registry(),
                            access.resolves(), access.pulls(), access.headers(), access.tls())));
        }
        return endpoints;
    }

    private static List<Host> hosts(TomlFile file) throws ImageException {
        TomlTable root = file.root();
        checkKeys(file, root, Stream.concat(HOST_KEYS.stream(), Stream.of("server", "host")).toList());
        List<Host> hosts = new ArrayList<>();
        TomlTable tables = file.table(root, "host");
        if (tables != null) {
            for (String url : tables.keySet()) {
                TomlTable table = file.table(tables, url);
                if (table != null) {
                    checkKeys(file, table, List.copyOf(HOST_KEYS));
                    hosts.add(host(file, tables, url, url, table));
                }
            }
        }
        String server = file.text(root, "server");
        hosts.add(server == null || server.isEmpty()
                ? new Host(null, access(file, root, null, "/v2"))
                : host(file, root, "server", server, root));
        checkTls(file, hosts);
        return hosts;
    }

    private static Host host(TomlFile file, TomlTable at, String key, String text, TomlTable table)
            throws ImageException {
        URI url;
        try {
            url = URI.create(text.contains("://") ? text : "https://" + text);
        } catch (IllegalArgumentException e) {
            throw file.invalid(at, key, "is no URL; write https://host[:port][/path]");
        }
        String scheme = String.valueOf(url.getScheme());
        if (!Set.of("http", "https").contains(scheme) || url.getHost() == null || url.getUserInfo() != null
                || url.getQuery() != null) {
            throw file.invalid(at, key, "is no URL of a registry; write https://host[:port][/path]");
        }
        String path = Objects.requireNonNullElse(url.getPath(), "").replaceAll("/+$", "");
        boolean asIs = file.flag(table, "override_path") && !path.isEmpty();
        return new Host(url.getPort() < 0 ? url.getHost() : url.getHost() + ":" + url.getPort(),
                access(file, table, scheme, asIs || path.endsWith("/v2") ? path : path + "/v2"));
    }

    private static HostAccess access(TomlFile file, TomlTable table, @Nullable String scheme, String path)
            throws ImageException {
        List<String> capabilities = file.texts(table, "capabilities");
        for (String capability : capabilities) {
            if (!Set.of("pull", "resolve", "push", "referrers").contains(capability)) {
                throw file.invalid(table, "capabilities", "has \"" + capability
                        + "\"; expected pull, resolve, push or referrers");
            }
        }
        return new HostAccess(scheme, path, null, capabilities.isEmpty() || capabilities.contains("resolve"),
                capabilities.isEmpty() || capabilities.contains("pull"), headers(file, table),
                new HostTls(paths(file, file.texts(table, "ca")), identities(file, table),
                        file.flag(table, "skip_verify"), timeout(file, table)));
    }

    private static Map<String, List<String>> headers(TomlFile file, TomlTable table) throws ImageException {
        Map<String, List<String>> headers = new LinkedHashMap<>();
        TomlTable written = file.table(table, "header");
        if (written != null) {
            for (String name : written.keySet()) {
                List<String> values = file.texts(written, name);
                boolean token = name.matches("[A-Za-z0-9!#$%&'*+.^_`|~-]+");
                if (!token || values.stream().anyMatch(value -> value.chars().anyMatch(c -> c < ' '))) {
                    // Not quoted: it may be a secret.
                    throw file.invalid(written, name, "is no HTTP header, or has a control character");
                }
                headers.put(name, values);
            }
        }
        return headers;
    }

    /** One file, a list of files, or a list of pairs of certificate and key. */
    private static List<Identity> identities(TomlFile file, TomlTable table) throws ImageException {
        List<Identity> identities = new ArrayList<>();
        if (table.get(List.of("client")) instanceof String single) {
            identities.add(identity(file, single, ""));
            return identities;
        }
        for (Object item : file.list(table, "client")) {
            List<?> pair = switch (item) {
                case String certificate -> List.of(certificate, "");
                case TomlArray array when array.size() == 2 -> array.toList();
                default -> List.of();
            };
            if (pair.size() != 2 || !(pair.getFirst() instanceof String certificate)
                    || !(pair.getLast() instanceof String key)) {
                throw file.invalid(table, "client",
                        "must be a file, a list of files, or a list of [certificate, key]");
            }
            identities.add(identity(file, certificate, key));
        }
        return identities;
    }

    private static Identity identity(TomlFile file, String certificate, String key) throws ImageException {
        Path first = resolve(file, certificate);
        return new Identity(first, key.isEmpty() ? first : resolve(file, key));
    }

    private static List<Path> paths(TomlFile file, List<String> names) throws ImageException {
        List<Path> paths = new ArrayList<>();
        for (String name : names) {
            paths.add(resolve(file, name));
        }
        return paths;
    }

    /** Relative names are beside the file. */
    private static Path resolve(TomlFile file, String name) throws ImageException {
        try {
            return file.path().resolveSibling(name);
        } catch (InvalidPathException e) {
            throw file.invalid((TomlPosition) null, "a certificate's path cannot be: " + e.getReason());
        }
    }

    private static @Nullable Duration timeout(TomlFile file, TomlTable table) throws ImageException {
        String text = file.text(table, "dial_timeout");
        if (text == null || text.isEmpty()) {
            return null;
        }
        Duration sum = Duration.ZERO;
        Matcher part = DURATION_PART.matcher(text);
        int end = 0;
        while (part.lookingAt()) {
            long amount = Long.parseLong(part.group(1));
            sum = sum.plus(switch (part.group(2)) {
                case "ms" -> Duration.ofMillis(amount);
                case "s" -> Duration.ofSeconds(amount);
                case "m" -> Duration.ofMinutes(amount);
                default -> Duration.ofHours(amount);
            });
            end = part.end();
            part.region(end, text.length());
        }
        if (end < text.length() || sum.isZero()) {
            throw file.invalid(table, "dial_timeout", "must be a duration such as \"3s\" or \"1m30s\"");
        }
        return sum;
    }

    private static void checkKeys(TomlFile file, TomlTable table, List<String> known) throws ImageException {
        for (String key : table.keySet()) {
            if (!known.contains(key)) {
                throw file.invalid(table, key, "is no key of hosts.toml here; known are "
                        + String.join(", ", known.stream().sorted().toList()));
            }
        }
    }

    /** Connections are shared by all that is asked of one host, so it can have one identity only. */
    private static void checkTls(TomlFile file, List<Host> hosts) throws ImageException {
        Map<String, HostTls> byAuthority = new LinkedHashMap<>();
        for (Host host : hosts) {
            HostTls earlier = byAuthority.putIfAbsent(
                    Objects.requireNonNullElse(host.authority(), ""), host.access().tls());
            if (earlier != null && !earlier.equals(host.access().tls())) {
                throw file.invalid((TomlPosition) null, "host " + host.authority()
                        + " stands here twice, with different ca, client, skip_verify or dial_timeout");
            }
        }
    }
}
