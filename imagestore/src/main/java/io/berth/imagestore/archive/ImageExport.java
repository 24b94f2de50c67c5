package io.berth.imagestore.archive;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.ImageTools.ExportFormat;
import io.berth.imagestore.record.LayerTar;
import io.berth.imagestore.registry.Digest;
import io.berth.imagestore.registry.ImageReference;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes images into one archive. Layers are the uncompressed tars that diff ids name, as the compressed blobs are not kept;
 * so an OCI export has a manifest of its own. The one that the image came with is put beside it, under
 * {@link #ORIGINAL_MANIFEST}, and an import takes that for the image's again: its digest proves the config, and the config the
 * layers. The same images give the same bytes, whenever and wherever they are exported.
 */
public final class ImageExport {
    /** Annotation of an index's entry: digest of the manifest that the image was pulled with, a blob of the same layout. */
    static final String ORIGINAL_MANIFEST = "io.berth.image.manifest";
    static final String CONTAINERD_NAME = "io.containerd.image.name";
    static final String REF_NAME = "org.opencontainers.image.ref.name";

    private static final String MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
    private static final String INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
    private static final String CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";
    private static final String LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final List<Source> sources;

    /**
     * An image, and its layers by diff id.
     *
     * @param layers each once, in the image's order
     */
    public record Source(Image image, Map<String, LayerTar> layers) {
        public Source {
            layers = new LinkedHashMap<>(layers);
        }
    }

    public ImageExport(List<Source> sources) {
        this.sources = List.copyOf(sources);
    }

    /**
     * Writes all images to {@code target}, which is absolute.
     *
     * @throws ImageException CORRUPT where an image is not as it was unpacked, NO_SPACE, INVALID, INTERNAL
     */
    public void writeTo(Path target, ExportFormat format) throws IOException {
        try (ExportSink sink = format == ExportFormat.OCI_LAYOUT
                ? ExportSink.directory(target)
                : ExportSink.tar(target)) {
            if (format == ExportFormat.DOCKER_ARCHIVE) {
                dockerArchive(sink);
            } else {
                ociLayout(sink);
            }
            sink.finish();
        }
    }

    private void ociLayout(ExportSink sink) throws IOException {
        Map<String, byte[]> documents = new LinkedHashMap<>();
        Map<String, LayerTar> layers = new LinkedHashMap<>();
        Map<String, Long> sizes = new LinkedHashMap<>();
        ObjectNode index = JSON.createObjectNode().put("schemaVersion", 2).put("mediaType", INDEX_TYPE);
        ArrayNode entries = index.putArray("manifests");
        for (Source source : sources) {
            layers.putAll(source.layers);
            for (Map.Entry<String, LayerTar> layer : source.layers.entrySet()) {
                sizes.put(layer.getKey(), layer.getValue().size());
            }
            byte[] config = config(source.image);
            byte[] manifest = manifest(source.image, config, sizes);
            documents.put(source.image.id(), config);
            ObjectNode descriptor = descriptor(MANIFEST_TYPE, digest(manifest), manifest.length);
            documents.put(digest(manifest), manifest);
            byte[] original = source.image.manifestJson().getBytes(StandardCharsets.UTF_8);
            boolean other = !digest(original).equals(digest(manifest))
                    && digest(original).equals(source.image.manifestDigest());
            if (other) {
                documents.put(source.image.manifestDigest(), original);
            }
            addEntries(entries, descriptor, source.image, other);
        }
        sink.file("oci-layout", bytes("{\"imageLayoutVersion\":\"1.0.0\"}"));
        sink.file("index.json", JSON.writeValueAsBytes(index));
        for (Map.Entry<String, byte[]> document : documents.entrySet()) {
            sink.file(path(document.getKey()), document.getValue());
        }
        for (Map.Entry<String, LayerTar> layer : layers.entrySet()) {
            sink.file(path(layer.getKey()), sizes.getOrDefault(layer.getKey(), 0L),
                    layer.getValue()::writeTo);
        }
    }

    private static byte[] manifest(Image image, byte[] config, Map<String, Long> sizes) throws IOException {
        ObjectNode manifest = JSON.createObjectNode().put("schemaVersion", 2).put("mediaType", MANIFEST_TYPE);
        manifest.set("config", descriptor(CONFIG_TYPE, image.id(), config.length));
        ArrayNode list = manifest.putArray("layers");
        image.diffIds().forEach(diffId -> list.add(
                descriptor(LAYER_TYPE, diffId, sizes.getOrDefault(diffId, 0L))));
        return JSON.writeValueAsBytes(manifest);
    }

    /** An entry for each name; one without, where the image has none. */
    private static void addEntries(ArrayNode entries, ObjectNode descriptor, Image image, boolean original)
            throws ImageException {
        List<String> names = new ArrayList<>(image.repoTags());
        if (names.isEmpty() && original) {
            // Names by the manifest's digest can be proven by the archive; those by an index's digest cannot.
            image.repoDigests().stream().filter(name -> name.endsWith("@" + image.manifestDigest()))
                    .forEach(names::add);
        }
        if (names.isEmpty()) {
            names.add("");
        }
        for (String name : names) {
            ObjectNode entry = descriptor.deepCopy();
            ObjectNode annotations = JSON.createObjectNode();
            if (!name.isEmpty()) {
                annotations.put(CONTAINERD_NAME, name);
                String tag = ImageReference.parse(name).tag();
                if (tag != null) {
                    annotations.put(REF_NAME, tag);
                }
            }
            if (original) {
                annotations.put(ORIGINAL_MANIFEST, image.manifestDigest());
            }
            if (!annotations.isEmpty()) {
                entry.set("annotations", annotations);
            }
            entries.add(entry);
        }
    }

    private void dockerArchive(ExportSink sink) throws IOException {
        ArrayNode list = JSON.createArrayNode();
        Map<String, LayerTar> layers = new LinkedHashMap<>();
        Map<String, byte[]> configs = new LinkedHashMap<>();
        for (Source source : sources) {
            String config = hex(source.image.id()) + ".json";
            ObjectNode item = list.addObject().put("Config", config);
            ArrayNode tags = item.putArray("RepoTags");
            source.image.repoTags().forEach(tags::add);
            ArrayNode files = item.putArray("Layers");
            source.image.diffIds().forEach(diffId -> files.add(hex(diffId) + "/layer.tar"));
            configs.put(config, config(source.image));
            layers.putAll(source.layers);
        }
        sink.file("manifest.json", JSON.writeValueAsBytes(list));
        for (Map.Entry<String, byte[]> config : configs.entrySet()) {
            sink.file(config.getKey(), config.getValue());
        }
        for (Map.Entry<String, LayerTar> layer : layers.entrySet()) {
            sink.file(hex(layer.getKey()) + "/layer.tar", layer.getValue().size(), layer.getValue()::writeTo);
        }
    }

    private static byte[] config(Image image) throws ImageException {
        byte[] config = image.configJson().getBytes(StandardCharsets.UTF_8);
        if (!digest(config).equals(image.id())) {
            throw new ImageException(Kind.CORRUPT, "the config of image " + image.id()
                    + " is damaged; remove the image and pull it again");
        }
        return config;
    }

    private static ObjectNode descriptor(String mediaType, String digest, long size) {
        return JSON.createObjectNode().put("mediaType", mediaType).put("digest", digest).put("size", size);
    }

    private static String digest(byte[] content) {
        return Digest.of("sha256", content).toString();
    }

    private static String path(String digest) {
        return "blobs/" + digest.replace(':', '/');
    }

    private static String hex(String digest) {
        return digest.substring(digest.indexOf(':') + 1);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
