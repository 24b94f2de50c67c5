package io.berth.runtime.pod;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.util.JsonFormat;
import io.berth.runtime.container.Container;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.state.SandboxRecord;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * A pod's checkpoint: an archive for each container, named {@code NAME.tar} by its name in the pod; {@code pod.options}, which
 * lists them with their ids; {@code pod.dump}, the sandbox's configuration.
 *
 * @param path the caller's directory
 */
record PodDirectory(Path path) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int VERSION = 1;
    /** What a Kubernetes container may be named; a name becomes a file's. */
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,200}");

    /**
     * The directory that a caller has made for a checkpoint.
     *
     * @throws LifecycleException INVALID where the path is not absolute, PRECONDITION where it is no empty directory
     */
    static PodDirectory empty(String outputPath) throws LifecycleException, IOException {
        PodDirectory directory = new PodDirectory(absolute("output_path", outputPath));
        if (!Files.isDirectory(directory.path())) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION,
                    "output_path \"" + outputPath + "\" is no directory; make it first");
        }
        if (!directory.entries().isEmpty()) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "output_path \"" + outputPath
                    + "\" is not empty; Berth overwrites no checkpoint");
        }
        return directory;
    }

    /**
     * The directory of a checkpoint.
     *
     * @throws LifecycleException INVALID where the path is not absolute or has no pod's checkpoint, NOT_FOUND where it is no
     *         directory
     */
    static PodDirectory existing(String checkpointPath) throws LifecycleException {
        Path path = absolute("checkpoint_path", checkpointPath);
        if (!Files.isDirectory(path)) {
            throw new LifecycleException(LifecycleException.Kind.NOT_FOUND,
                    "checkpoint_path \"" + checkpointPath + "\" is no directory on this node");
        }
        if (!Files.isRegularFile(path.resolve("pod.options"))) {
            throw new LifecycleException(LifecycleException.Kind.INVALID,
                    "checkpoint_path \"" + checkpointPath
                            + "\" has no pod.options; it is no checkpoint of a pod, or not all of one");
        }
        return new PodDirectory(path);
    }

    private static Path absolute(String field, String path) throws LifecycleException {
        if (!path.startsWith("/")) {
            throw new LifecycleException(LifecycleException.Kind.INVALID,
                    field + " \"" + path + "\" is not an absolute path");
        }
        return Path.of(path).normalize();
    }

    /** The archive of the container {@code name}. */
    Path archive(String name) throws LifecycleException {
        if (!NAME.matcher(name).matches()) {
            throw new LifecycleException(LifecycleException.Kind.INVALID,
                    "a container named \"" + name + "\" cannot be part of a checkpoint");
        }
        return path.resolve(name + ".tar");
    }

    /** Written last: a directory with {@code pod.options} is whole. */
    void writeDocuments(SandboxRecord sandbox, List<Container> containers) throws IOException {
        JsonNode config = JSON.readTree(JsonFormat.printer().print(sandbox.config()));
        ObjectNode dump = JSON.createObjectNode();
        dump.put("id", sandbox.id());
        dump.put("runtimeHandler", sandbox.requestedHandler());
        dump.set("config", config);
        Files.write(path.resolve("pod.dump"), JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(dump));
        ObjectNode options = JSON.createObjectNode();
        options.put("version", VERSION);
        ObjectNode names = options.putObject("containers");
        containers.forEach(container -> names.put(container.record().config().getMetadata().getName(),
                container.id()));
        options.putObject("annotations")
                .put("org.criu.checkpoint.engine.name", "berth")
                .put("org.criu.checkpoint.pod.name", sandbox.config().getMetadata().getName())
                .put("org.criu.checkpoint.pod.namespace", sandbox.config().getMetadata().getNamespace())
                .put("org.criu.checkpoint.pod.uid", sandbox.config().getMetadata().getUid())
                .put("org.criu.checkpoint.pod.id", sandbox.id())
                .put("org.criu.checkpoint.runtime.name", sandbox.runtime());
        Files.write(path.resolve("pod.options"),
                JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(options));
    }

    /**
     * Names of the containers that have an archive.
     *
     * @throws LifecycleException INVALID for a version that this Berth does not know
     */
    Set<String> containers() throws LifecycleException, IOException {
        JsonNode options = JSON.readTree(Files.readAllBytes(path.resolve("pod.options")));
        if (options.path("version").asInt() != VERSION) {
            throw new LifecycleException(LifecycleException.Kind.INVALID,
                    path + " is a checkpoint of version "
                            + options.path("version").asText() + "; this Berth reads version " + VERSION);
        }
        Set<String> names = new TreeSet<>();
        options.path("containers").fieldNames().forEachRemaining(names::add);
        return names;
    }

    /** Deletes what a failed checkpoint has written; the directory itself is the caller's. */
    void clear(Throwable failure) {
        try {
            for (Path entry : entries()) {
                Files.deleteIfExists(entry);
            }
        } catch (IOException e) {
            failure.addSuppressed(e);
        }
    }

    private List<Path> entries() throws IOException {
        List<Path> entries = new ArrayList<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(path)) {
            stream.forEach(entries::add);
        }
        return entries;
    }
}
