package io.berth.runtime.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.runtime.lifecycle.LifecycleException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;

/**
 * {@code config.dump}: which container was checkpointed, and from which image it was made.
 *
 * @param id of the container
 * @param name of the container in its pod
 * @param requestedImage what the image was asked for by
 * @param imageReference digest by which another node finds the same image
 * @param imageName a tag of it
 * @param runtime the handler that ran it
 */
public record ConfigDump(String id, String name, String requestedImage, String imageReference,
        String imageName, String runtime, Instant created, Instant checkpointed) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Writes it with the keys that Podman, CRI-O and containerd use. */
    void write(Path file) throws IOException {
        ObjectNode json = JSON.createObjectNode();
        json.put("id", id);
        json.put("name", name);
        json.put("rootfsImage", requestedImage);
        json.put("rootfsImageRef", imageReference);
        json.put("rootfsImageName", imageName);
        json.put("runtime", runtime);
        json.put("createdTime", created.toString());
        json.put("checkpointedTime", checkpointed.toString());
        json.put("restoredTime", "0001-01-01T00:00:00Z");
        json.put("restored", false);
        Files.write(file, JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(json));
    }

    /**
     * Reads one of Berth's, CRI-O's or containerd's.
     *
     * @throws LifecycleException INVALID where it is absent or names no image
     */
    static ConfigDump read(Path file, String archive) throws LifecycleException, IOException {
        if (!Files.isRegularFile(file)) {
            throw new LifecycleException(LifecycleException.Kind.INVALID,
                    archive + " is no checkpoint of a container: it has no config.dump");
        }
        JsonNode json = JSON.readTree(Files.readAllBytes(file));
        ConfigDump dump = new ConfigDump(json.path("id").asText(), json.path("name").asText(),
                json.path("rootfsImage").asText(), json.path("rootfsImageRef").asText(),
                json.path("rootfsImageName").asText(), json.path("runtime").asText(), Instant.EPOCH,
                Instant.EPOCH);
        if (dump.requestedImage().isEmpty() && dump.imageReference().isEmpty()
                && dump.imageName().isEmpty()) {
            throw new LifecycleException(LifecycleException.Kind.INVALID,
                    archive + " does not say in config.dump which image its container was made from");
        }
        return dump;
    }
}
