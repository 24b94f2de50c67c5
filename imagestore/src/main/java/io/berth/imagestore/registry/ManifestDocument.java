package io.berth.imagestore.registry;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A manifest or an index whose bytes were verified (OCI image-spec "Image Manifest" and "Image Index"; Docker's schema 2
 * and manifest list are the same under other media types).
 */
public final class ManifestDocument {
    static final String OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
    static final String OCI_INDEX = "application/vnd.oci.image.index.v1+json";
    static final String DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
    static final String DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
    /** What a registry is told that this client understands. */
    static final String ACCEPTED = String.join(", ", OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST);
    static final int MAX_BYTES = 4 << 20;
    /** overlayfs stacks no more. */
    private static final int MAX_LAYERS = 500;

    private static final Set<String> MANIFESTS = Set.of(OCI_MANIFEST, DOCKER_MANIFEST);
    private static final Set<String> INDEXES = Set.of(OCI_INDEX, DOCKER_LIST);
    private static final Set<String> IMAGE_CONFIGS = Set.of("application/vnd.oci.image.config.v1+json",
            "application/vnd.docker.container.image.v1+json");

    private final Digest digest;
    private final String mediaType;
    private final byte[] bytes;
    private final JsonNode json;

    private ManifestDocument(Digest digest, String mediaType, byte[] bytes, JsonNode json) {
        this.digest = digest;
        this.mediaType = mediaType;
        this.bytes = bytes;
        this.json = json;
    }

    /**
     * Reads a document.
     *
     * @param contentType what the registry calls it; empty where it says nothing
     * @throws ImageException CORRUPT, UNSUPPORTED
     */
    public static ManifestDocument parse(Digest digest, String contentType, byte[] bytes)
            throws ImageException {
        JsonNode json;
        try {
            json = ImageJson.read(bytes);
        } catch (ImageJson.Malformed e) {
            throw corrupt(digest, e.getMessage());
        }
        if (!json.isObject()) {
            throw corrupt(digest, "it is not a JSON object");
        }
        String outer = contentType.replaceFirst(";.*", "").strip();
        if (json.path("schemaVersion").asInt() == 1
                || outer.startsWith("application/vnd.docker.distribution.manifest.v1+")) {
            throw new ImageException(Kind.UNSUPPORTED, "manifest " + digest
                    + " is of Docker schema 1, which is"
                    + " no longer supported; push the image again with a current docker, podman or skopeo");
        }
        boolean lists = json.has("manifests");
        if (lists && (json.has("layers") || json.has("config"))) {
            throw corrupt(digest, "it is an index and a manifest at once");
        }
        String inner = json.path("mediaType").asText("");
        String mediaType = !inner.isEmpty()
                ? inner
                : MANIFESTS.contains(outer) || INDEXES.contains(outer)
                        ? outer
                        : lists ? OCI_INDEX : OCI_MANIFEST;
        if (!MANIFESTS.contains(mediaType) && !INDEXES.contains(mediaType)) {
            throw new ImageException(Kind.UNSUPPORTED, "manifest " + digest + " has media type " + mediaType
                    + ", which is not an image; expected one of " + ACCEPTED);
        }
        if (INDEXES.contains(mediaType) != lists) {
            throw corrupt(digest, "media type " + mediaType + " does not fit its content");
        }
        return new ManifestDocument(digest, mediaType, bytes, json);
    }

    /** Digest of {@link #bytes}. */
    public Digest digest() {
        return digest;
    }

    public String mediaType() {
        return mediaType;
    }

    /** The document as received; not to be changed. */
    public byte[] bytes() {
        return bytes;
    }

    /** Whether it lists manifests of several platforms. */
    public boolean isIndex() {
        return INDEXES.contains(mediaType);
    }

    /** An entry of an index. */
    public record Entry(Descriptor descriptor, @Nullable Platform platform) {}

    /**
     * The entries that may hold an image for {@code wanted}, best first. Entries that name no platform come last: only
     * what they point to can tell.
     */
    public List<Entry> candidates(Platform wanted) throws ImageException {
        List<Entry> fitting = new ArrayList<>();
        List<Entry> unnamed = new ArrayList<>();
        for (Entry entry : entries()) {
            if (entry.platform() == null) {
                unnamed.add(entry);
            } else if (wanted.suits(entry.platform()) >= 0) {
                fitting.add(entry);
            }
        }
        fitting.sort(Comparator.comparingInt((Entry entry) -> suitability(wanted, entry)).reversed());
        fitting.addAll(unnamed);
        return fitting;
    }

    /** The platforms that an index offers, for people. */
    public String offered() throws ImageException {
        List<String> names = new ArrayList<>();
        for (Entry entry : entries()) {
            if (entry.platform() != null && !entry.platform().os().equals("unknown")) {
                names.add(entry.platform().toString());
            }
        }
        return names.isEmpty() ? "nothing that names a platform" : String.join(", ", names);
    }

    /** @throws ImageException CORRUPT; UNSUPPORTED where this is an artifact and no image */
    public Descriptor config() throws ImageException {
        Descriptor config = descriptor("config", json.path("config"));
        if (!IMAGE_CONFIGS.contains(config.mediaType())) {
            String artifact = json.path("artifactType").asText("");
            throw new ImageException(Kind.UNSUPPORTED, "manifest " + digest + " is an artifact of type "
                    + (artifact.isEmpty() ? config.mediaType() : artifact)
                    + " and not a container image; a container cannot be made of it");
        }
        return config;
    }

    /** @throws ImageException CORRUPT; UNSUPPORTED where a layer is to be had only outside of registries */
    public List<Descriptor> layers() throws ImageException {
        JsonNode nodes = json.path("layers");
        if (!nodes.isArray()) {
            throw corrupt(digest, "it has no layers");
        }
        if (nodes.size() > MAX_LAYERS) {
            throw new ImageException(Kind.UNSUPPORTED, "manifest " + digest + " has " + nodes.size()
                    + " layers; at most " + MAX_LAYERS + " can be mounted over each other by overlayfs");
        }
        List<Descriptor> layers = new ArrayList<>(nodes.size());
        for (int i = 0; i < nodes.size(); i++) {
            Descriptor layer = descriptor("layers[" + i + "]", nodes.get(i));
            boolean foreign = layer.mediaType().contains("foreign")
                    || layer.mediaType().contains("nondistributable");
            if (foreign && !layer.urls().isEmpty()) {
                throw new ImageException(Kind.UNSUPPORTED, "layer " + i + " (" + layer.digest()
                        + ") of manifest "
                        + digest
                        + " is a foreign layer, kept outside of the registry; push the image again with"
                        + " all its layers");
            }
            layers.add(layer);
        }
        return layers;
    }

    private List<Entry> entries() throws ImageException {
        JsonNode nodes = json.path("manifests");
        if (!nodes.isArray()) {
            throw corrupt(digest, "its manifests are no list");
        }
        List<Entry> entries = new ArrayList<>(nodes.size());
        for (int i = 0; i < nodes.size(); i++) {
            JsonNode platform = nodes.get(i).path("platform");
            entries.add(new Entry(descriptor("manifests[" + i + "]", nodes.get(i)),
                    platform.path("architecture").isTextual()
                            ? new Platform(platform.path("os").asText(""),
                                    platform.path("architecture").asText(),
                                    platform.path("variant").asText(""))
                            : null));
        }
        return entries;
    }

    private static int suitability(Platform wanted, Entry entry) {
        return entry.platform() == null ? -1 : wanted.suits(entry.platform());
    }

    private Descriptor descriptor(String field, JsonNode node) throws ImageException {
        String text = node.path("digest").asText("");
        try {
            Digest.parse(text);
        } catch (ImageException e) {
            throw corrupt(digest, field + ": " + e.getMessage());
        }
        JsonNode size = node.path("size");
        if (!size.isIntegralNumber() || !size.canConvertToLong() || size.asLong() < 0) {
            throw corrupt(digest, field + ": size " + size + " is no number of bytes");
        }
        List<String> urls = new ArrayList<>();
        node.path("urls").forEach(url -> urls.add(url.asText()));
        Map<String, String> annotations = new HashMap<>();
        node.path("annotations").properties()
                .forEach(entry -> annotations.put(entry.getKey(), entry.getValue().asText()));
        return new Descriptor(node.path("mediaType").asText(""), text, size.asLong(), urls, annotations);
    }

    private static ImageException corrupt(Digest digest, @Nullable String why) {
        return new ImageException(Kind.CORRUPT,
                "manifest " + digest + " is malformed: " + why + "; the image must be pushed again");
    }
}
