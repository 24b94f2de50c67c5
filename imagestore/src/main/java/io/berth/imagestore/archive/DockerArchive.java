package io.berth.imagestore.archive;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.registry.Digest;
import io.berth.imagestore.registry.ImageJson;
import io.berth.imagestore.registry.ImageReference;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/**
 * What {@code docker save} wrote before it wrote OCI layouts: {@code manifest.json} lists configs and layers by file name.
 * It has no registry manifest, so one is made; its digest is not one that any registry knows.
 */
final class DockerArchive {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json";
    private static final String CONFIG_TYPE = "application/vnd.docker.container.image.v1+json";
    private static final String LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar";

    private final LayoutDirectory directory;

    DockerArchive(LayoutDirectory directory) {
        this.directory = directory;
    }

    List<ArchivedImage> images() throws ImageException {
        JsonNode list;
        try {
            list = ImageJson.read(directory.document("manifest.json"));
        } catch (ImageJson.Malformed e) {
            throw new ImageException(Kind.CORRUPT,
                    directory.path() + ": manifest.json is malformed: " + e.getMessage(), e);
        }
        List<ArchivedImage> images = new ArrayList<>();
        for (JsonNode item : list) {
            images.add(image(item));
        }
        return images;
    }

    private ArchivedImage image(JsonNode item) throws ImageException {
        Map<String, String> paths = new HashMap<>();
        Descriptor config = descriptor(CONFIG_TYPE, item.path("Config").asText(""), paths);
        List<Descriptor> layers = new ArrayList<>();
        for (JsonNode layer : item.path("Layers")) {
            layers.add(descriptor(LAYER_TYPE, layer.asText(""), paths));
        }
        List<String> tags = new ArrayList<>();
        for (JsonNode tag : item.path("RepoTags")) {
            tags.add(ImageReference.parse(tag.asText("")).canonical());
        }
        byte[] manifest = manifest(config, layers);
        Digest digest = Digest.of("sha256", manifest);
        return new ArchivedImage(directory, new ArchivedImage.Names(tags, List.of(), digest),
                new ArchivedImage.Document(digest, MANIFEST_TYPE, manifest), config, layers, paths);
    }

    private Descriptor descriptor(String mediaType, String path, Map<String, String> paths)
            throws ImageException {
        if (path.isEmpty()) {
            throw new ImageException(Kind.CORRUPT, directory.path() + ": manifest.json names an empty path");
        }
        long size = 0;
        MessageDigest hash = sha256();
        try (InputStream in = directory.open(path)) {
            byte[] buffer = new byte[64 << 10];
            for (int count; (count = in.read(buffer)) > 0; size += count) {
                hash.update(buffer, 0, count);
            }
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw new ImageException(Kind.INTERNAL,
                    directory.path() + ": cannot read " + path + ": " + e.getMessage(), e);
        }
        String digest = "sha256:" + HexFormat.of().formatHex(hash.digest());
        paths.put(digest, path);
        return new Descriptor(mediaType, digest, size, List.of(), Map.of());
    }

    private static byte[] manifest(Descriptor config, List<Descriptor> layers) {
        ObjectNode manifest = JSON.createObjectNode();
        manifest.put("schemaVersion", 2).put("mediaType", MANIFEST_TYPE);
        manifest.set("config", node(config));
        ArrayNode list = manifest.putArray("layers");
        layers.forEach(layer -> list.add(node(layer)));
        return manifest.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static ObjectNode node(Descriptor descriptor) {
        return JSON.createObjectNode().put("mediaType", descriptor.mediaType())
                .put("digest", descriptor.digest())
                .put("size", descriptor.size());
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }
}
