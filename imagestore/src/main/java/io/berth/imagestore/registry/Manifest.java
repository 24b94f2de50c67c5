package io.berth.imagestore.registry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * An OCI image manifest or a Docker image manifest, version 2 schema 2.
 *
 * @param digest digest of {@code json}
 * @param mediaType as received
 * @param json as received
 * @param config descriptor of the image configuration
 * @param layers base first
 */
public record Manifest(String digest, String mediaType, String json, Descriptor config,
        List<Descriptor> layers) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern DIGEST = Pattern.compile("sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}");

    public Manifest {
        layers = List.copyOf(layers);
    }

    /**
     * Reads a manifest whose digest the caller has verified.
     *
     * @param mediaType of the response or descriptor; the document's own wins
     * @throws ImageException CORRUPT where it is no manifest, naming the field
     */
    public static Manifest parse(String digest, String mediaType, String json) throws ImageException {
        JsonNode root;
        try {
            root = JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw corrupt(digest, "it is not JSON: " + e.getOriginalMessage(), e);
        }
        if (root.path("schemaVersion").asInt() != 2) {
            throw corrupt(digest,
                    "schemaVersion is " + root.path("schemaVersion") + ", only 2 is an image manifest", null);
        }
        JsonNode layers = root.path("layers");
        if (!layers.isArray()) {
            throw corrupt(digest, "it has no list \"layers\"", null);
        }
        List<Descriptor> descriptors = new ArrayList<>(layers.size());
        for (int i = 0; i < layers.size(); i++) {
            descriptors.add(descriptor(digest, "layers[" + i + "]", layers.get(i)));
        }
        return new Manifest(digest, root.path("mediaType").asText(mediaType), json,
                descriptor(digest, "config", root.path("config")), descriptors);
    }

    /** Reads the descriptor {@code node}, the field {@code where} of the manifest or index {@code owner}. */
    public static Descriptor descriptor(String owner, String where, JsonNode node) throws ImageException {
        String digest = node.path("digest").asText("");
        if (!DIGEST.matcher(digest).matches()) {
            throw corrupt(owner,
                    where + ".digest is " + node.path("digest") + ", wanted sha256:<64 hex digits>", null);
        }
        JsonNode size = node.path("size");
        if (!size.canConvertToLong() || !size.isIntegralNumber() || size.longValue() < 0) {
            throw corrupt(owner, where + ".size is " + size + ", wanted a number of bytes", null);
        }
        Map<String, String> annotations = new HashMap<>();
        node.path("annotations").properties()
                .forEach(field -> annotations.put(field.getKey(), field.getValue().asText()));
        List<String> urls = new ArrayList<>();
        node.path("urls").forEach(url -> urls.add(url.asText()));
        return new Descriptor(node.path("mediaType").asText(""), digest, size.longValue(), annotations, urls);
    }

    private static ImageException corrupt(String digest, String what, @Nullable Throwable cause) {
        return new ImageException(Kind.CORRUPT, "manifest " + digest + " is malformed: " + what
                + ". The image must be built or pushed again", cause);
    }
}
