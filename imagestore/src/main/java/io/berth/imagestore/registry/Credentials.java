package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Locale;

/** What a pull may prove itself with. The text forms hide every secret. */
sealed interface Credentials {
    /** Nothing. */
    record Anonymous() implements Credentials {}

    /** A name and a password, for the registry or its token service. */
    record Basic(String username, String password) implements Credentials {
        String header() {
            byte[] pair = (username + ":" + password).getBytes(StandardCharsets.UTF_8);
            return "Basic " + Base64.getEncoder().encodeToString(pair);
        }

        @Override
        public String toString() {
            return "Basic[redacted]";
        }
    }

    /** An OAuth2 refresh token, which the token service turns into registry tokens. */
    record Identity(String token) implements Credentials {
        @Override
        public String toString() {
            return "Identity[redacted]";
        }
    }

    /** A bearer token that the registry takes as it is. */
    record Bearer(String token) implements Credentials {
        @Override
        public String toString() {
            return "Bearer[redacted]";
        }
    }

    /**
     * Reads a request's credentials: a registry token before an identity token before a name and password.
     *
     * @throws ImageException INVALID where {@code auth} is not base64 of {@code username:password}
     */
    static Credentials of(RegistryAuth auth) throws ImageException {
        if (!auth.registryToken().isEmpty()) {
            return new Bearer(auth.registryToken());
        }
        if (!auth.identityToken().isEmpty()) {
            return new Identity(auth.identityToken());
        }
        if (!auth.username().isEmpty() || !auth.password().isEmpty()) {
            return new Basic(auth.username(), auth.password());
        }
        return auth.auth().isEmpty() ? new Anonymous() : decode(auth.auth());
    }

    /**
     * The registry host that a server address means: without scheme and path, and Docker Hub's many names as
     * {@code docker.io}.
     */
    static String host(String serverAddress) {
        String address = serverAddress.trim().toLowerCase(Locale.ROOT);
        int scheme = address.indexOf("://");
        String host = scheme < 0 ? address : address.substring(scheme + 3);
        int slash = host.indexOf('/');
        host = slash < 0 ? host : host.substring(0, slash);
        return switch (host) {
            case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com" -> "docker.io";
            default -> host;
        };
    }

    private static Credentials decode(String auth) throws ImageException {
        String pair;
        try {
            pair = new String(Base64.getDecoder().decode(auth.trim()), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            // The cause would quote the secret.
            throw new ImageException(Kind.INVALID, "the auth field of the pull's credentials is not base64");
        }
        int colon = pair.indexOf(':');
        if (colon < 0) {
            throw new ImageException(Kind.INVALID,
                    "the auth field of the pull's credentials is not base64 of username:password");
        }
        // Docker's tools pad the password with zero bytes.
        return new Basic(pair.substring(0, colon), pair.substring(colon + 1).replaceAll("\0+$", ""));
    }
}
