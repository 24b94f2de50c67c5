package io.berth.imagestore.registry;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The node's own credentials: docker's {@code config.json}, which containers-auth.json(5) extends by entries for parts of a
 * registry. Its text form hides all of them.
 */
final class AuthFile {
    private static final int MAX_BYTES = 4 << 20;
    /** How helpers know Docker Hub. */
    private static final String DOCKER_HUB_URL = "https://index.docker.io/v1/";

    private final @Nullable Path path;
    private final boolean present;
    private final Map<String, JsonNode> entries;
    private final Map<String, String> helpers;
    private final String store;
    private final CredentialHelper helper;

    private AuthFile(@Nullable Path path, boolean present, Map<String, JsonNode> entries,
            Map<String, String> helpers, String store, CredentialHelper helper) {
        this.path = path;
        this.present = present;
        this.entries = entries;
        this.helpers = helpers;
        this.store = store;
        this.helper = helper;
    }

    /**
     * Reads {@code path}; null or an absent file has no credentials.
     *
     * @param environment for credential helpers
     * @throws ImageException INVALID, naming the file and quoting nothing of it
     */
    static AuthFile read(@Nullable Path path, Map<String, String> environment) throws ImageException {
        CredentialHelper helper = new CredentialHelper(environment);
        if (path == null) {
            return new AuthFile(null, false, Map.of(), Map.of(), "", helper);
        }
        byte[] bytes;
        try {
            if (Files.size(path) > MAX_BYTES) {
                throw new ImageException(Kind.INVALID, "auth_file " + path + " has more than " + MAX_BYTES
                        + " bytes");
            }
            bytes = Files.readAllBytes(path);
        } catch (NoSuchFileException e) {
            return new AuthFile(path, false, Map.of(), Map.of(), "", helper);
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw new ImageException(Kind.INVALID, "cannot read auth_file " + path + ": " + e, e);
        }
        return parse(path, bytes, helper);
    }

    /** Reads {@code bytes} as the content of {@code path}. */
    static AuthFile parse(Path path, byte[] bytes, CredentialHelper helper) throws ImageException {
        JsonNode root;
        try {
            root = ImageJson.read(bytes);
        } catch (ImageJson.Malformed e) {
            throw malformed(path, String.valueOf(e.getMessage()));
        }
        Map<String, JsonNode> entries = new HashMap<>();
        for (Map.Entry<String, JsonNode> entry : object(path, root, "auths").properties()) {
            if (!entry.getValue().isObject()) {
                throw malformed(path, "auths has an entry for " + entry.getKey() + " that is no object");
            }
            String key = key(entry.getKey());
            // A key as it is meant to be comes before an older way to write the same.
            if (key.equals(entry.getKey()) || !entries.containsKey(key)) {
                entries.put(key, entry.getValue());
            }
        }
        Map<String, String> helpers = new HashMap<>();
        for (Map.Entry<String, JsonNode> entry : object(path, root, "credHelpers").properties()) {
            helpers.put(key(entry.getKey()), entry.getValue().asText(""));
        }
        return new AuthFile(path, true, entries, helpers, root.path("credsStore").asText(""), helper);
    }

    /**
     * What there is for {@code repository} at {@code host}: of the longest of its parents that has something, a helper's
     * before an entry's; the default helper's last.
     */
    Credentials credentials(String host, String repository) throws ImageException {
        for (String key : keys(Credentials.host(host), repository)) {
            String named = helpers.get(key);
            if (named != null && !named.isEmpty()) {
                return helper.get(named, server(host));
            }
            JsonNode entry = entries.get(key);
            if (entry != null && !entry.isEmpty()) {
                return read(key, entry);
            }
        }
        return store.isEmpty() ? new Credentials.Anonymous() : helper.get(store, server(host));
    }

    /** Where an operator may add credentials for all pulls, for an error's text; empty where no file is configured. */
    String advice() {
        return path == null ? "" : ", or an entry to " + path + (present ? "" : ", which does not exist");
    }

    @Override
    public String toString() {
        return "AuthFile[" + path + "]";
    }

    private Credentials read(String key, JsonNode entry) throws ImageException {
        try {
            return Credentials.of(new RegistryAuth(entry.path("username").asText(""),
                    entry.path("password").asText(""), entry.path("auth").asText(""), "",
                    entry.path("identitytoken").asText(""), entry.path("registrytoken").asText("")));
        } catch (ImageException e) {
            throw new ImageException(Kind.INVALID, "the entry for " + key + " in " + path
                    + " is malformed: its auth must be base64 of username:password");
        }
    }

    /** From the repository up to the host. */
    private static List<String> keys(String host, String repository) {
        List<String> keys = new ArrayList<>();
        String key = host + "/" + repository;
        for (int slash; (slash = key.lastIndexOf('/')) >= 0; key = key.substring(0, slash)) {
            keys.add(key);
        }
        keys.add(key);
        return keys;
    }

    /** A key without the scheme and API path that docker's have. */
    private static String key(String written) {
        String host = Credentials.host(written);
        int slash = written.indexOf('/');
        if (slash < 0 || written.contains("://")) {
            return host;
        }
        String path = written.substring(slash).replaceAll("/+$", "");
        return path.equals("/v1") || path.equals("/v2") ? host : host + path;
    }

    private static String server(String host) {
        String name = Credentials.host(host);
        return name.equals("docker.io") ? DOCKER_HUB_URL : name;
    }

    private static JsonNode object(Path path, JsonNode root, String field) throws ImageException {
        JsonNode node = root.path(field);
        if (!root.isObject() || !(node.isObject() || node.isMissingNode() || node.isNull())) {
            throw malformed(path, (root.isObject() ? field : "it") + " is no object");
        }
        return node;
    }

    private static ImageException malformed(Path path, String why) {
        return new ImageException(Kind.INVALID, "auth_file " + path + " is malformed: " + why);
    }
}
