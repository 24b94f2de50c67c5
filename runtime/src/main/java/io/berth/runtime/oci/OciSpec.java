package io.berth.runtime.oci;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.LinuxContainerUser;
import java.io.IOException;
import java.util.Collection;
import java.util.List;

/**
 * A container's OCI runtime configuration ({@code config.json}).
 *
 * @param json the root object
 * @param warnings what was bent to this node, for the log: one sentence each
 */
public record OciSpec(ObjectNode json, List<String> warnings) {
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final String TERM = "TERM=";

    /** Reads back a stored {@code config.json}. */
    public static OciSpec parse(byte[] configJson) throws OciException {
        if (parseJson(configJson, "the stored OCI spec") instanceof ObjectNode root) {
            return new OciSpec(root, List.of());
        }
        throw new OciException(OciException.Kind.FAILED, "the stored OCI spec is not a JSON object");
    }

    /** The text of {@code config.json}. */
    public byte[] bytes() {
        return bytes(json);
    }

    /** Who the container's first process is, for {@code ContainerStatus.user}. */
    public LinuxContainerUser user() {
        JsonNode user = json.path("process").path("user");
        LinuxContainerUser.Builder result = LinuxContainerUser.newBuilder()
                .setUid(user.path("uid").asLong())
                .setGid(user.path("gid").asLong());
        user.path("additionalGids").forEach(gid -> result.addSupplementalGroups(gid.asLong()));
        return result.build();
    }

    /**
     * The OCI {@code process} object for a command that joins this container: its user, capabilities, environment,
     * directory and confinement, with another command line and terminal.
     *
     * @throws OciException INVALID for an empty command
     */
    public byte[] execProcess(List<String> command, boolean terminal) throws OciException {
        if (command.isEmpty() || command.getFirst().isEmpty()) {
            throw OciException.invalid("cmd", "is empty; name the program to run");
        }
        ObjectNode process = json.path("process").deepCopy();
        process.put("terminal", terminal);
        process.remove("consoleSize");
        process.set("args", strings(command));
        ArrayNode env = process.withArray("env");
        if (terminal && !hasTerm(env)) {
            env.add(TERM + "xterm");
        }
        return bytes(process);
    }

    private static boolean hasTerm(ArrayNode env) {
        for (JsonNode entry : env) {
            if (entry.asText().startsWith(TERM)) {
                return true;
            }
        }
        return false;
    }

    static ObjectNode object() {
        return MAPPER.createObjectNode();
    }

    static ArrayNode array() {
        return MAPPER.createArrayNode();
    }

    static ArrayNode strings(Collection<String> values) {
        ArrayNode array = MAPPER.createArrayNode();
        values.forEach(array::add);
        return array;
    }

    static JsonNode parseJson(byte[] text, String what) throws OciException {
        try {
            return MAPPER.readTree(text);
        } catch (JsonProcessingException e) {
            throw new OciException(OciException.Kind.INVALID,
                    what + " is not JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new OciException(OciException.Kind.FAILED, what + " cannot be read: " + e.getMessage(), e);
        }
    }

    static byte[] bytes(ObjectNode node) {
        try {
            return MAPPER.writeValueAsBytes(node);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree is always writable", e);
        }
    }
}
