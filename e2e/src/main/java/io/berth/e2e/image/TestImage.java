package io.berth.e2e.image;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * An image for one platform.
 *
 * @param manifest of type {@code mediaType}
 * @param config whose digest is the image's id
 */
public record TestImage(String mediaType, Blob manifest, Blob config, List<Layer> layers,
        String architecture) {
    static final ObjectMapper JSON = new ObjectMapper();

    /** The two kinds of manifest that registries have. */
    public enum Format {
        OCI("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.config.v1+json",
                "application/vnd.oci.image.layer.v1.tar",
                "+"), DOCKER("application/vnd.docker.distribution.manifest.v2+json",
                        "application/vnd.docker.container.image.v1+json",
                        "application/vnd.docker.image.rootfs.diff.tar", ".");

        private final String manifestType;
        private final String configType;
        private final String layerType;
        private final String separator;

        Format(String manifestType, String configType, String layerType, String separator) {
            this.manifestType = manifestType;
            this.configType = configType;
            this.layerType = layerType;
            this.separator = separator;
        }

        String layerType(Compression compression) {
            return switch (compression) {
                case NONE -> layerType;
                case GZIP -> layerType + separator + "gzip";
                case ZSTD -> layerType + separator + "zstd";
            };
        }
    }

    /** Collects an image's layers and configuration. */
    public static final class Builder {
        private final List<Layer> layers = new ArrayList<>();
        private final ObjectNode runConfig = JSON.createObjectNode();
        private final ObjectNode annotations = JSON.createObjectNode();
        private Format format = Format.OCI;
        private String architecture = "amd64".equals(System.getProperty("os.arch")) ? "amd64" : "arm64";

        private Builder() {
            runConfig.putArray("Env").add("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
        }

        public Builder format(Format imageFormat) {
            this.format = imageFormat;
            return this;
        }

        public Builder architecture(String goArchitecture) {
            this.architecture = goArchitecture;
            return this;
        }

        public Builder layer(Layer layer) {
            layers.add(layer);
            return this;
        }

        /** Changes the part of the configuration that says how to run the image (Cmd, Env, User, ...). */
        public Builder config(Consumer<ObjectNode> change) {
            change.accept(runConfig);
            return this;
        }

        public Builder env(String nameAndValue) {
            ((ArrayNode) runConfig.get("Env")).add(nameAndValue);
            return this;
        }

        /** Sets an annotation of the manifest. */
        public Builder annotation(String name, String value) {
            annotations.put(name, value);
            return this;
        }

        public TestImage build() {
            ObjectNode config = JSON.createObjectNode();
            config.put("architecture", architecture).put("os", "linux").put("created",
                    "2026-01-02T03:04:05Z");
            config.set("config", runConfig);
            ArrayNode diffIds = config.putObject("rootfs").put("type", "layers").putArray("diff_ids");
            layers.forEach(layer -> diffIds.add(layer.diffId()));
            var configBlob = new Blob(json(config));

            ObjectNode manifest = JSON.createObjectNode().put("schemaVersion", 2)
                    .put("mediaType", format.manifestType);
            manifest.set("config", descriptor(format.configType, configBlob));
            ArrayNode layerDescriptors = manifest.putArray("layers");
            layers.forEach(layer -> layerDescriptors
                    .add(descriptor(format.layerType(layer.compression()), layer.blob())));
            if (!annotations.isEmpty()) {
                manifest.set("annotations", annotations);
            }
            return new TestImage(format.manifestType, new Blob(json(manifest)), configBlob,
                    List.copyOf(layers),
                    architecture);
        }
    }

    public static Builder builder() {
        return new Builder();
    }

    /** The image's id in the CRI. */
    public String id() {
        return config.digest();
    }

    /** Everything but the manifest. */
    public List<Blob> blobs() {
        var blobs = new ArrayList<Blob>();
        blobs.add(config);
        layers.forEach(layer -> blobs.add(layer.blob()));
        return blobs;
    }

    /** An image index over {@code images}, which must differ in their architecture. */
    public static Blob index(List<TestImage> images) {
        ObjectNode index = JSON.createObjectNode().put("schemaVersion", 2).put("mediaType",
                OciLayout.INDEX_TYPE);
        ArrayNode manifests = index.putArray("manifests");
        for (TestImage image : images) {
            ObjectNode entry = descriptor(image.mediaType, image.manifest);
            entry.putObject("platform").put("architecture", image.architecture).put("os", "linux");
            manifests.add(entry);
        }
        return new Blob(json(index));
    }

    static ObjectNode descriptor(String mediaType, Blob blob) {
        return JSON.createObjectNode().put("mediaType", mediaType).put("digest", blob.digest())
                .put("size", blob.size());
    }

    static byte[] json(ObjectNode node) {
        try {
            return JSON.writeValueAsBytes(node);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
