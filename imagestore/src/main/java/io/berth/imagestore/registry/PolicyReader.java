package io.berth.imagestore.registry;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.registry.SignaturePolicy.Requirement;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;

/** Reads the requirements of a policy; a key that the format does not have is an error, for it may restrict something. */
final class PolicyReader {
    private static final List<String> GPG_KEYS = List.of("type", "keyType", "keyPath", "keyPaths", "keyData",
            "signedIdentity");
    private static final List<String> REKOR_KEYS = List.of("rekorPublicKeyPath", "rekorPublicKeyPaths",
            "rekorPublicKeyData", "rekorPublicKeyDatas");
    private static final List<String> SIGSTORE_KEYS = Stream.concat(REKOR_KEYS.stream(), Stream.of("type",
            "keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki", "signedIdentity")).toList();

    private final Path file;

    PolicyReader(Path file) {
        this.file = file;
    }

    /** A list of requirements, at least one. */
    List<Requirement> requirements(String where, JsonNode list) throws ImageException {
        if (!list.isArray() || list.isEmpty()) {
            throw invalid(where, "must be a list of at least one requirement");
        }
        List<Requirement> requirements = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            requirements.add(requirement(where + "[" + i + "]", list.get(i)));
        }
        return requirements;
    }

    void wantObject(String where, JsonNode node) throws ImageException {
        if (!node.isObject()) {
            throw invalid(where, "must be an object");
        }
    }

    void wantKnown(String where, JsonNode node, List<String> known) throws ImageException {
        for (var field : node.properties()) {
            if (!known.contains(field.getKey())) {
                throw invalid(where, "has the unknown key \"" + field.getKey() + "\"; known are "
                        + String.join(", ", known.stream().sorted().toList()));
            }
        }
    }

    private Requirement requirement(String where, JsonNode node) throws ImageException {
        wantObject(where, node);
        String type = node.path("type").asText("");
        return switch (type) {
            case "insecureAcceptAnything" -> {
                wantKnown(where, node, List.of("type"));
                yield new Requirement.Accept();
            }
            case "reject" -> {
                wantKnown(where, node, List.of("type"));
                yield new Requirement.Reject();
            }
            case "signedBy" -> {
                wantKnown(where, node, GPG_KEYS);
                yield new Requirement.Unsupported(
                        "a GPG signature (signedBy), which Berth does not verify; use sigstoreSigned");
            }
            case "signedBaseLayer" -> {
                wantKnown(where, node, List.of("type", "baseLayerIdentity"));
                yield new Requirement.Unsupported("signedBaseLayer, which no runtime verifies");
            }
            case "sigstoreSigned" -> {
                wantKnown(where, node, SIGSTORE_KEYS);
                yield sigstore(where, node);
            }
            default -> throw invalid(where, "has the type \"" + type + "\"; known are insecureAcceptAnything,"
                    + " reject, sigstoreSigned and signedBy");
        };
    }

    private Requirement sigstore(String where, JsonNode node) throws ImageException {
        SignedIdentity identity = node.has("signedIdentity")
                ? identity(where + ".signedIdentity", node.path("signedIdentity"))
                : new SignedIdentity.MatchRepoDigestOrExact();
        List<String> sources = Stream.of("keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki")
                .filter(node::has).toList();
        if (sources.size() != 1) {
            throw invalid(where,
                    "must have one of keyPath, keyPaths, keyData, keyDatas, fulcio and pki; it has "
                            + (sources.isEmpty() ? "none" : String.join(", ", sources)));
        }
        String source = sources.getFirst();
        if (source.equals("fulcio") || source.equals("pki")) {
            return new Requirement.Unsupported(
                    source + " certificates, which Berth does not verify; use keyPath or keyData");
        }
        if (REKOR_KEYS.stream().anyMatch(node::has)) {
            return new Requirement.Unsupported(
                    "an entry in a Rekor log, which Berth does not verify; leave rekorPublicKey... out");
        }
        List<Path> files = new ArrayList<>();
        List<String> texts = new ArrayList<>();
        for (String value : values(where, source, node.path(source))) {
            if (source.startsWith("keyPath")) {
                files.add(path(where, value));
            } else {
                texts.add(pem(where, value));
            }
        }
        return new Requirement.Sigstore(new SignatureKeys(files, texts), identity);
    }

    private List<String> values(String where, String key, JsonNode node) throws ImageException {
        boolean many = key.endsWith("s");
        List<String> values = new ArrayList<>();
        if (many && node.isArray()) {
            node.forEach(item -> values.add(item.isTextual() ? item.textValue() : ""));
        } else if (!many && node.isTextual()) {
            values.add(node.textValue());
        }
        if (values.isEmpty() || values.contains("")) {
            throw invalid(where, key + " must be " + (many ? "a list of at least one string" : "a string"));
        }
        return values;
    }

    private Path path(String where, String text) throws ImageException {
        try {
            Path path = Path.of(text);
            if (path.isAbsolute()) {
                return path;
            }
        } catch (InvalidPathException e) {
            throw invalid(where, "has a key path that cannot be: " + e.getReason());
        }
        throw invalid(where, "has the key path \"" + text + "\", which must be absolute");
    }

    private String pem(String where, String base64) throws ImageException {
        try {
            return new String(Base64.getDecoder().decode(base64), StandardCharsets.ISO_8859_1);
        } catch (IllegalArgumentException e) {
            throw invalid(where, "has key data that is not base64");
        }
    }

    private SignedIdentity identity(String where, JsonNode node) throws ImageException {
        wantObject(where, node);
        String type = node.path("type").asText("");
        return switch (type) {
            case "matchExact" -> only(where, node, new SignedIdentity.MatchExact());
            case "matchRepoDigestOrExact" -> only(where, node, new SignedIdentity.MatchRepoDigestOrExact());
            case "matchRepository" -> only(where, node, new SignedIdentity.MatchRepository());
            case "exactReference" -> {
                String name = only(where, node, "dockerReference");
                SignedIdentity.SignedName signed = parse(where, name);
                if (signed.repositoryAlone()) {
                    throw invalid(where, "dockerReference \"" + name + "\" must have a tag or a digest");
                }
                yield new SignedIdentity.ExactReference(signed.reference());
            }
            case "exactRepository" -> {
                String name = only(where, node, "dockerRepository");
                SignedIdentity.SignedName signed = parse(where, name);
                if (!signed.repositoryAlone()) {
                    throw invalid(where, "dockerRepository \"" + name + "\" must have no tag or digest");
                }
                yield new SignedIdentity.ExactRepository(signed.reference().name());
            }
            case "remapIdentity" -> {
                wantKnown(where, node, List.of("type", "prefix", "signedPrefix"));
                yield new SignedIdentity.RemapIdentity(text(where, node, "prefix"),
                        text(where, node, "signedPrefix"));
            }
            default -> throw invalid(where, "has the type \"" + type + "\"; known are matchExact,"
                    + " matchRepoDigestOrExact, matchRepository, exactReference, exactRepository and"
                    + " remapIdentity");
        };
    }

    private SignedIdentity only(String where, JsonNode node, SignedIdentity identity) throws ImageException {
        wantKnown(where, node, List.of("type"));
        return identity;
    }

    private String only(String where, JsonNode node, String key) throws ImageException {
        wantKnown(where, node, List.of("type", key));
        return text(where, node, key);
    }

    private String text(String where, JsonNode node, String key) throws ImageException {
        String text = node.path(key).isTextual() ? node.path(key).textValue() : "";
        if (text.isEmpty()) {
            throw invalid(where, key + " must be a string that is not empty");
        }
        return text;
    }

    private SignedIdentity.SignedName parse(String where, String name) throws ImageException {
        try {
            return SignedIdentity.SignedName.parse(name);
        } catch (ImageException e) {
            throw invalid(where, String.valueOf(e.getMessage()));
        }
    }

    private ImageException invalid(String where, String why) {
        return new ImageException(Kind.INVALID, "signature policy " + file + ": " + where + " " + why);
    }
}
