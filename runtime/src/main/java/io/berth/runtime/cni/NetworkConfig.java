package io.berth.runtime.cni;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A network configuration list (CNI spec, section 1); a single plugin's configuration is a list of one.
 *
 * @param name the network's name
 * @param cniVersion the version that all its plugins are spoken to in
 * @param plugins their configurations, in the order of ADD
 * @param json the whole list as it is kept for DEL
 */
record NetworkConfig(String name, String cniVersion, List<ObjectNode> plugins, String json) {
    static final JsonMapper JSON = JsonMapper.builder().build();

    /** From the first with chained plugins in today's form to the newest. */
    private static final List<String> VERSIONS = List.of("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.-]*");

    /**
     * Parses a list or a single plugin's configuration.
     *
     * @throws CniException saying what is wrong with it; the caller adds the file's name
     */
    static NetworkConfig parse(String text) throws CniException {
        ObjectNode root = object(text);
        ObjectNode list = root.has("plugins") ? root : listOf(root);
        String name = text(list, "name");
        if (!NAME.matcher(name).matches()) {
            throw new CniException("\"name\" is \"" + name + "\": letters, digits, '_', '.' and '-' only",
                    null);
        }
        JsonNode plugins = list.get("plugins");
        if (!plugins.isArray() || plugins.isEmpty()) {
            throw new CniException("\"plugins\" is not a list of at least one plugin", null);
        }
        List<ObjectNode> checked = new ArrayList<>();
        for (JsonNode plugin : plugins) {
            if (!(plugin instanceof ObjectNode object) || text(object, "type").contains("/")
                    || text(object, "type").startsWith(".")) {
                throw new CniException(
                        "\"plugins\" has an entry whose \"type\" is not the name of a plugin: " + plugin,
                        null);
            }
            checked.add(object);
        }
        return new NetworkConfig(name, version(list), List.copyOf(checked), list.toString());
    }

    /** Whether plugins are given the earlier result on DEL (from spec 0.4.0 on). */
    boolean previousResultOnDelete() {
        return atLeast("0.4.0");
    }

    /** Whether plugins know STATUS (from spec 1.1.0 on). */
    boolean hasStatus() {
        return atLeast("1.1.0");
    }

    /** Whether plugins know CHECK (from spec 0.4.0 on) and are to be asked. */
    boolean hasCheck() throws CniException {
        return atLeast("0.4.0") && !object(json).path("disableCheck").asBoolean(false);
    }

    /** Whether plugins know GC (from spec 1.1.0 on). */
    boolean hasGarbageCollection() {
        return atLeast("1.1.0");
    }

    private boolean atLeast(String version) {
        return VERSIONS.indexOf(cniVersion) >= VERSIONS.indexOf(version);
    }

    private static ObjectNode object(String text) throws CniException {
        try {
            if (JSON.readTree(text) instanceof ObjectNode object) {
                return object;
            }
            throw new CniException("not a JSON object", null);
        } catch (JsonProcessingException e) {
            throw new CniException(
                    "not JSON: " + e.getOriginalMessage() + " in line " + e.getLocation().getLineNr(), e);
        }
    }

    private static ObjectNode listOf(ObjectNode plugin) {
        ObjectNode list = JsonNodeFactory.instance.objectNode();
        list.set("cniVersion", plugin.get("cniVersion"));
        list.set("name", plugin.get("name"));
        list.putArray("plugins").add(plugin);
        return list;
    }

    private static String text(ObjectNode object, String field) throws CniException {
        JsonNode value = object.get(field);
        if (value == null || !value.isTextual() || value.textValue().isEmpty()) {
            throw new CniException("\"" + field + "\" is missing or is no text", null);
        }
        return value.textValue();
    }

    /** The newest version of {@code cniVersions} that we speak, or {@code cniVersion}. */
    private static String version(ObjectNode list) throws CniException {
        String newest = list.path("cniVersion").asText("");
        for (JsonNode offered : list.path("cniVersions")) {
            if (VERSIONS.indexOf(offered.asText()) > VERSIONS.indexOf(newest)) {
                newest = offered.asText();
            }
        }
        if (!VERSIONS.contains(newest)) {
            throw new CniException(
                    "\"cniVersion\" is \"" + newest + "\": Berth speaks " + String.join(", ", VERSIONS),
                    null);
        }
        return newest;
    }
}
