package io.berth.runtime.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the node's network configuration from a template once kubelet has told the pods' addresses. The template is a network
 * configuration in which {@code "${podCidr}"}, in any text, stands for the primary range, and the whole values
 * {@code "${ranges}"} and {@code "${routes}"} for host-local's lists of all ranges and of a default route for each family.
 */
final class NetworkTemplate {
    /** The configuration's name in the folder; an add-on's own file counts more where its name comes first. */
    static final String FILE = "10-berth.conflist";
    private static final Logger log = LoggerFactory.getLogger(NetworkTemplate.class);
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private NetworkTemplate() {}

    /**
     * The template with the ranges in it.
     *
     * @throws CniException where what comes out is no network configuration
     */
    static String fill(String template, PodCidrs cidrs) throws CniException {
        ArrayNode ranges = NODES.arrayNode();
        cidrs.ranges().forEach(range -> ranges.addArray().addObject().put("subnet", range));
        ArrayNode routes = NODES.arrayNode();
        cidrs.routes().forEach(route -> routes.addObject().put("dst", route));
        try {
            JsonNode filled = fill(NetworkConfig.JSON.readTree(template), cidrs.ranges().getFirst(),
                    Map.of("${ranges}", ranges, "${routes}", routes));
            String text = filled.toPrettyString() + "\n";
            NetworkConfig.parse(text);
            return text;
        } catch (CniException e) {
            throw e;
        } catch (IOException e) {
            throw new CniException("not JSON: " + e.getMessage(), e);
        }
    }

    private static JsonNode fill(JsonNode node, String primary, Map<String, ArrayNode> lists) {
        if (node instanceof ObjectNode object) {
            ObjectNode filled = NODES.objectNode();
            object.properties()
                    .forEach(field -> filled.set(field.getKey(), fill(field.getValue(), primary, lists)));
            return filled;
        }
        if (node instanceof ArrayNode array) {
            ArrayNode filled = NODES.arrayNode();
            array.forEach(element -> filled.add(fill(element, primary, lists)));
            return filled;
        }
        if (node instanceof TextNode text) {
            ArrayNode list = lists.get(text.textValue());
            return list != null
                    ? list.deepCopy()
                    : NODES.textNode(text.textValue().replace("${podCidr}", primary));
        }
        return node;
    }

    /** Writes the configuration where it differs from what is there; whoever reads the folder sees all of it or nothing. */
    static void write(Path directory, String text) throws IOException {
        Path file = directory.resolve(FILE);
        if (Files.exists(file) && Files.readString(file).equals(text)) {
            return;
        }
        Files.createDirectories(directory);
        Path partial = directory.resolve("." + FILE + ".partial");
        Files.writeString(partial, text);
        try (FileChannel channel = FileChannel.open(partial, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
        Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE);
        log.atInfo().addKeyValue("file", file).log("network configuration written for the pods' addresses");
    }
}
