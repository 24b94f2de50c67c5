package io.berth.imagestore.metadata;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.imagestore.ImageConfig;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.registry.ImageJson;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * An image configuration (OCI image-spec, "Image Configuration").
 *
 * @param diffIds base first
 */
public record ConfigDocument(ImageConfig config, List<String> diffIds) {
    private static final Pattern DIFF_ID = Pattern.compile("sha256:[0-9a-f]{64}");

    public ConfigDocument {
        diffIds = List.copyOf(diffIds);
    }

    /**
     * Reads the configuration whose digest is {@code id}.
     *
     * @throws ImageException CORRUPT, naming the field
     */
    public static ConfigDocument parse(String id, String json) throws ImageException {
        JsonNode root;
        try {
            root = ImageJson.read(json.getBytes(StandardCharsets.UTF_8));
        } catch (ImageJson.Malformed e) {
            throw corrupt(id, String.valueOf(e.getMessage()));
        }
        if (!root.isObject()) {
            throw corrupt(id, "it is not a JSON object");
        }
        JsonNode config = root.path("config");
        return new ConfigDocument(
                new ImageConfig(text(root, "os"), text(root, "architecture"), text(root, "variant"),
                        text(config, "User"), strings(id, config, "Env"), strings(id, config, "Entrypoint"),
                        strings(id, config, "Cmd"), text(config, "WorkingDir"), text(config, "StopSignal"),
                        keys(config.path("Volumes")), keys(config.path("ExposedPorts")),
                        map(config.path("Labels"))),
                diffIds(id, root));
    }

    private static List<String> diffIds(String id, JsonNode root) throws ImageException {
        List<String> diffIds = strings(id, root.path("rootfs"), "diff_ids");
        for (String diffId : diffIds) {
            if (!DIFF_ID.matcher(diffId).matches()) {
                throw corrupt(id, "rootfs.diff_ids has \"" + diffId + "\", wanted sha256:<64 hex digits>");
            }
        }
        return diffIds;
    }

    private static String text(JsonNode node, String field) {
        return node.path(field).asText("");
    }

    private static List<String> strings(String id, JsonNode node, String field) throws ImageException {
        JsonNode list = node.path(field);
        if (list.isMissingNode() || list.isNull()) {
            return List.of();
        }
        List<String> strings = new ArrayList<>();
        for (JsonNode item : list) {
            if (!item.isTextual()) {
                throw corrupt(id, field + " has an item that is no text");
            }
            strings.add(item.textValue());
        }
        if (!list.isArray()) {
            throw corrupt(id, field + " is no list");
        }
        return List.copyOf(strings);
    }

    private static List<String> keys(JsonNode object) {
        List<String> keys = new ArrayList<>();
        object.fieldNames().forEachRemaining(keys::add);
        return List.copyOf(keys);
    }

    private static Map<String, String> map(JsonNode object) {
        Map<String, String> map = new LinkedHashMap<>();
        object.properties().forEach(field -> map.put(field.getKey(), field.getValue().asText("")));
        return Map.copyOf(map);
    }

    private static ImageException corrupt(String id, String why) {
        return new ImageException(Kind.CORRUPT, "image config " + id + " is malformed: " + why
                + "; the image must be built and pushed again");
    }
}
