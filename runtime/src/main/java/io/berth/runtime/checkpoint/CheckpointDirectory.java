package io.berth.runtime.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.runtime.lifecycle.LifecycleException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A container's checkpoint as files, before it is archived and after it is unpacked. The names are those that Podman, CRI-O
 * and containerd have agreed on.
 *
 * @param path the directory, readable by root only: it has the memory of processes
 */
public record CheckpointDirectory(Path path) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** criu's images. */
    public Path images() {
        return path.resolve("checkpoint");
    }

    /** What the image's root filesystem lacks, as a tar; absent in a checkpoint without changes. */
    public Path rootfsDiff() {
        return path.resolve("rootfs-diff.tar");
    }

    /** What was in the pod's /dev/shm, as a tar. */
    public Path sharedMemory() {
        return path.resolve("devshm-checkpoint.tar");
    }

    /** The container's log until then. */
    public Path log() {
        return path.resolve("container.log");
    }

    /** criu's own log of the dump. */
    public Path dumpLog() {
        return path.resolve("dump.log");
    }

    /** criu's own log of the restore. */
    public Path restoreLog() {
        return path.resolve("restore.log");
    }

    public void writeConfig(ConfigDump dump) throws IOException {
        dump.write(path.resolve("config.dump"));
    }

    /** @param origin what the checkpoint came from, for errors */
    public ConfigDump readConfig(String origin) throws LifecycleException, IOException {
        return ConfigDump.read(path.resolve("config.dump"), origin);
    }

    /** The OCI runtime configuration of the container. */
    public void writeSpec(byte[] configJson) throws IOException {
        Files.write(path.resolve("spec.dump"), configJson);
    }

    /**
     * The same, read back.
     *
     * @throws LifecycleException INVALID where it is absent or no JSON object
     */
    public ObjectNode readSpec(String origin) throws LifecycleException, IOException {
        Path file = path.resolve("spec.dump");
        JsonNode json = Files.isRegularFile(file)
                ? JSON.readTree(Files.readAllBytes(file))
                : JSON.missingNode();
        if (json instanceof ObjectNode spec) {
            return spec;
        }
        throw new LifecycleException(LifecycleException.Kind.INVALID,
                origin + " is no checkpoint of a container: its spec.dump is absent or damaged");
    }

    /** Any of the other documents. */
    public void writeDocument(String name, JsonNode json) throws IOException {
        Files.write(path.resolve(name), JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(json));
    }

    /** The paths that the container has deleted. */
    public void writeDeleted(List<String> paths) throws IOException {
        if (!paths.isEmpty()) {
            Files.write(path.resolve("deleted.files"), JSON.writeValueAsBytes(paths));
        }
    }

    /** The same, read back; empty where there is none. */
    public List<String> readDeleted() throws IOException {
        Path file = path.resolve("deleted.files");
        List<String> paths = new ArrayList<>();
        if (Files.isRegularFile(file)) {
            JSON.readTree(Files.readAllBytes(file)).forEach(entry -> paths.add(entry.asText()));
        }
        return paths;
    }

    /** Archives what is in the pod's /dev/shm. */
    public void captureSharedMemory(Path shm) throws LifecycleException, IOException {
        TreeArchive.write(shm, sharedMemory(), (path, stat, parent, name) -> true);
    }

    /** Puts the files of /dev/shm back, where the new pod has none of its own yet. */
    public void restoreSharedMemory(Path shm) throws IOException {
        if (Files.isRegularFile(sharedMemory()) && isEmpty(shm)) {
            RootfsChanges.unpackInto(shm, sharedMemory());
        }
    }

    private static boolean isEmpty(Path directory) throws IOException {
        try (var entries = Files.newDirectoryStream(directory)) {
            return !entries.iterator().hasNext();
        }
    }
}
