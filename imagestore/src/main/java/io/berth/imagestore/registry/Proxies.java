package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.net.InetAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The proxies that the environment names, as Go programs and curl understand them: {@code HTTP_PROXY},
 * {@code HTTPS_PROXY} and {@code NO_PROXY}, in upper or lower case; this machine itself is always reached directly.
 */
final class Proxies {
    /** @param userInfo {@code user:password}, decoded; null for none */
    record Proxy(String host, int port, @Nullable String userInfo) {
        @Override
        public String toString() {
            return host + ":" + port;
        }
    }

    private final @Nullable Proxy http;
    private final @Nullable Proxy https;
    private final List<String> direct;

    /** @throws ImageException INVALID where a variable is no URL of a proxy */
    Proxies(Map<String, String> environment) throws ImageException {
        this.http = proxy(environment, "HTTP_PROXY");
        this.https = proxy(environment, "HTTPS_PROXY");
        this.direct = Stream.of(value(environment, "NO_PROXY").split(",")).map(String::trim)
                .map(entry -> entry.toLowerCase(Locale.ROOT)).filter(entry -> !entry.isEmpty()).toList();
    }

    /** The proxies there are. */
    List<Proxy> all() {
        return Stream.of(http, https).flatMap(Stream::ofNullable).distinct().toList();
    }

    /** The proxy for {@code scheme://host:port}, or null to go there directly. */
    @Nullable
    Proxy proxyFor(String scheme, String host, int port) {
        String name = host.toLowerCase(Locale.ROOT);
        if (new Endpoint(name.indexOf(':') >= 0 ? "[" + name + "]" : name, "", false).loopback()
                || direct.stream().anyMatch(entry -> isDirect(entry, name, port))) {
            return null;
        }
        return scheme.equals("https") ? https : http;
    }

    private static boolean isDirect(String entry, String host, int port) {
        if (entry.equals("*")) {
            return true;
        }
        if (entry.indexOf('/') > 0) {
            return inNetwork(entry, host);
        }
        String name = entry;
        int colon = entry.lastIndexOf(':');
        if (colon > 0 && entry.indexOf(':') == colon) {
            if (!entry.substring(colon + 1).equals(Integer.toString(port))) {
                return false;
            }
            name = entry.substring(0, colon);
        }
        name = name.startsWith("*.") ? name.substring(1) : name;
        return name.startsWith(".") ? host.endsWith(name) : host.equals(name) || host.endsWith("." + name);
    }

    private static boolean inNetwork(String network, String host) {
        try {
            byte[] base = InetAddress.ofLiteral(network.substring(0, network.indexOf('/'))).getAddress();
            int bits = Integer.parseInt(network.substring(network.indexOf('/') + 1));
            byte[] address = InetAddress.ofLiteral(host).getAddress();
            if (base.length != address.length || bits < 0 || bits > base.length * 8) {
                return false;
            }
            for (int bit = 0; bit < bits; bit++) {
                int mask = 0x80 >> (bit % 8);
                if ((base[bit / 8] & mask) != (address[bit / 8] & mask)) {
                    return false;
                }
            }
            return true;
        } catch (IllegalArgumentException e) {
            // The host is a name, or the entry no network: neither is inside the other.
            return false;
        }
    }

    private static @Nullable Proxy proxy(Map<String, String> environment, String variable)
            throws ImageException {
        String text = value(environment, variable);
        if (text.isEmpty()) {
            return null;
        }
        try {
            URI uri = URI.create(text.contains("://") ? text : "http://" + text);
            if (!"http".equalsIgnoreCase(uri.getScheme()) || uri.getHost() == null) {
                throw unusable(variable);
            }
            String user = uri.getRawUserInfo();
            return new Proxy(uri.getHost(), uri.getPort() < 0 ? 80 : uri.getPort(),
                    user == null
                            ? null
                            : URLDecoder.decode(user.replace("+", "%2B"), StandardCharsets.UTF_8));
        } catch (IllegalArgumentException e) {
            throw unusable(variable);
        }
    }

    /** Quotes nothing of the value and no cause: it may hold a password. */
    private static ImageException unusable(String variable) {
        return new ImageException(Kind.INVALID, "the environment variable " + variable
                + " does not name a proxy; expected http://[user:password@]host[:port], there or as registry."
                + variable.toLowerCase(Locale.ROOT) + " in the configuration");
    }

    private static String value(Map<String, String> environment, String variable) {
        String upper = environment.getOrDefault(variable, "");
        return (upper.isEmpty() ? environment.getOrDefault(variable.toLowerCase(Locale.ROOT), "") : upper)
                .trim();
    }
}
