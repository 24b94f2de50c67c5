package io.berth.imagestore.registry;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * containers-policy.json(5): which images a node may pull. The transport is {@code docker}; what stands for others is checked
 * and has no effect here.
 */
final class SignaturePolicy {
    private static final int MAX_BYTES = 4 << 20;
    private static final String TRANSPORT = "docker";

    /** What one scope demands; all of it must be met. */
    sealed interface Requirement {
        record Accept() implements Requirement {}

        record Reject() implements Requirement {}

        /** Something that Berth cannot verify, and therefore does not accept. */
        record Unsupported(String what) implements Requirement {}

        record Sigstore(SignatureKeys keys, SignedIdentity identity) implements Requirement {}
    }

    /** @param source file and scope, for errors */
    record Rule(String source, List<Requirement> requirements) {
        Rule {
            requirements = List.copyOf(requirements);
        }
    }

    private static final Rule ACCEPT_ALL = new Rule("no policy", List.of(new Requirement.Accept()));

    private final @Nullable Path path;
    private final Map<String, List<Requirement>> scopes;
    private final List<Requirement> otherwise;

    private SignaturePolicy(@Nullable Path path, Map<String, List<Requirement>> scopes,
            List<Requirement> otherwise) {
        this.path = path;
        this.scopes = scopes;
        this.otherwise = otherwise;
    }

    /**
     * Reads {@code configured}, which must exist; where it is null, the usual file, if there is one.
     *
     * @throws ImageException INVALID, naming the file and what is wrong in it
     */
    static SignaturePolicy read(@Nullable Path configured) throws ImageException {
        Path file = configured == null ? RegistryFiles.USUAL_POLICY : configured;
        if (configured == null && !Files.exists(file)) {
            return new SignaturePolicy(null, Map.of(), ACCEPT_ALL.requirements());
        }
        try {
            if (Files.size(file) > MAX_BYTES) {
                throw new ImageException(Kind.INVALID, "signature policy " + file + " has more than "
                        + MAX_BYTES + " bytes");
            }
            return parse(file, Files.readAllBytes(file));
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw new ImageException(Kind.INVALID, "cannot read the signature policy " + file + ": " + e
                    + "; without it no image can be pulled", e);
        }
    }

    /** Reads {@code bytes} as the content of {@code file}. */
    static SignaturePolicy parse(Path file, byte[] bytes) throws ImageException {
        JsonNode root;
        try {
            root = ImageJson.readStrict(bytes);
        } catch (ImageJson.Malformed e) {
            throw new ImageException(Kind.INVALID, "signature policy " + file + ": " + e.getMessage());
        }
        PolicyReader reader = new PolicyReader(file);
        reader.wantObject("the policy", root);
        reader.wantKnown("the policy", root, List.of("default", "transports"));
        Map<String, List<Requirement>> scopes = new HashMap<>();
        for (Map.Entry<String, JsonNode> transport : root.path("transports").properties()) {
            reader.wantObject("transports." + transport.getKey(), transport.getValue());
            for (Map.Entry<String, JsonNode> scope : transport.getValue().properties()) {
                String where = "transports." + transport.getKey() + "[\"" + scope.getKey() + "\"]";
                List<Requirement> requirements = reader.requirements(where, scope.getValue());
                if (transport.getKey().equals(TRANSPORT)) {
                    scopes.put(scope.getKey(), requirements);
                }
            }
        }
        return new SignaturePolicy(file, scopes, reader.requirements("default", root.path("default")));
    }

    /** What must be met by {@code image}: of its longest scope, the transport's or the policy's default. */
    Rule rule(ImageReference image) {
        if (path == null) {
            return ACCEPT_ALL;
        }
        for (String scope : scopesOf(image)) {
            List<Requirement> requirements = scopes.get(scope);
            if (requirements != null) {
                return new Rule("signature policy " + path + ", scope \"" + scope + "\"", requirements);
            }
        }
        return new Rule("signature policy " + path + ", default", otherwise);
    }

    /** Every scope that {@code image} lies in, the narrowest first; the empty one is the whole transport. */
    private static List<String> scopesOf(ImageReference image) {
        List<String> scopes = new ArrayList<>();
        scopes.add(image.digest() == null ? image.canonical() : image.name() + "@" + image.digest());
        String name = image.name();
        for (int slash; (slash = name.lastIndexOf('/')) >= 0; name = name.substring(0, slash)) {
            scopes.add(name);
        }
        scopes.add(name);
        String host = name.replaceFirst(":[0-9]+$", "");
        for (int dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
            scopes.add("*" + host.substring(dot));
        }
        scopes.add("");
        return scopes;
    }
}
