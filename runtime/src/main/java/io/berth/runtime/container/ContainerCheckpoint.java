package io.berth.runtime.container;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.util.JsonFormat;
import io.berth.imagestore.Snapshots.Snapshot;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.runtime.checkpoint.CheckpointArchive;
import io.berth.runtime.checkpoint.CheckpointDirectory;
import io.berth.runtime.checkpoint.ConfigDump;
import io.berth.runtime.checkpoint.CriuLog;
import io.berth.runtime.checkpoint.RootfsChanges;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.TimeLimit;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.oci.OciRuntime;
import io.berth.runtime.state.ContainerRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A checkpoint of one running container in the making. The container is paused from {@link #pause} to {@link #resume}, so
 * that its files are those of the moment at which criu saw its memory; closing it resumes it in any case.
 */
public final class ContainerCheckpoint implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ContainerCheckpoint.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SHM = "/dev/shm";

    private final Container container;
    private final ContainerDeps deps;
    private final CheckpointDirectory staging;
    private boolean paused;

    private ContainerCheckpoint(Container container, ContainerDeps deps) {
        this.container = container;
        this.deps = deps;
        this.staging = new CheckpointDirectory(stagingOf(container.id(), deps));
    }

    /** Where a checkpoint is made. While this directory exists, the container may be paused. */
    static Path stagingOf(String containerId, ContainerDeps deps) {
        return deps.layout().bundle(containerId).resolve("checkpoint");
    }

    /**
     * Claims the container for one checkpoint.
     *
     * @throws LifecycleException PRECONDITION where it does not run, or another checkpoint of it is being made
     * @throws OciException UNSUPPORTED where this node cannot checkpoint its containers
     */
    static ContainerCheckpoint begin(Container container, ContainerDeps deps, TimeLimit limit)
            throws LifecycleException, IOException {
        if (!container.running()) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "container " + container.id()
                    + " is not running; only a running container can be checkpointed");
        }
        deps.handlers().runtime(container.record().runtime()).requireCriu(limit.left("find criu"));
        if (!container.claimCheckpoint()) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "container " + container.id()
                    + " is being checkpointed by another call; try again when that has ended");
        }
        ContainerCheckpoint checkpoint = new ContainerCheckpoint(container, deps);
        try {
            ContainerParts.deleteTree(checkpoint.staging.path());
            CheckpointArchive.makePrivate(checkpoint.staging.path());
            return checkpoint;
        } catch (IOException e) {
            container.releaseCheckpoint();
            throw e;
        }
    }

    /** Whose. */
    public Container container() {
        return container;
    }

    /** Stops all its processes. */
    public void pause(TimeLimit limit) throws LifecycleException, IOException {
        paused = true;
        runtime().pause(container.id(), limit.left("pause container " + container.id()));
    }

    /** Writes the state of its processes and its changed files; the container must be paused. */
    public void capture(TimeLimit limit) throws LifecycleException, IOException {
        dump(limit);
        ContainerRecord record = container.record();
        Snapshot snapshot = deps.snapshots().prepare(record.id(), record.image().id());
        staging.writeDeleted(RootfsChanges.capture(snapshot, staging.rootfsDiff(), limit));
        byte[] spec = Files.readAllBytes(deps.layout().spec(record.id()));
        staging.writeSpec(spec);
        JsonNode mounts = JSON.readTree(spec).path("mounts");
        staging.writeDocument("bind.mounts", bindMounts(mounts));
        Path shm = container.sandbox().record().files().get("shm");
        if (shm != null && usesSharedMemory(mounts, shm)) {
            staging.captureSharedMemory(shm);
        }
        writeDocuments(record);
    }

    private void dump(TimeLimit limit) throws LifecycleException, IOException {
        try {
            runtime().checkpoint(container.id(), staging.images(), staging.path(),
                    limit.left("checkpoint container " + container.id()));
        } catch (OciException e) {
            String reason = CriuLog.reason(staging.dumpLog());
            throw e.kind() == OciException.Kind.UNSUPPORTED || reason.isEmpty()
                    ? e
                    : new OciException(e.kind(), e.getMessage() + ". criu says: " + reason, e);
        }
    }

    /** Lets its processes go on. */
    public void resume() {
        if (!paused) {
            return;
        }
        try {
            // Of its own time, not of the request's, which may be over.
            runtime().resume(container.id(), deps.config().timeouts().oci());
            paused = false;
        } catch (LifecycleException | OciException e) {
            if (!container.hasEnded()) {
                log.atError().addKeyValue("container", container.id()).setCause(e).log(
                        "could not resume a container after a checkpoint; its OCI runtime's resume may do it");
            }
        }
    }

    /** Archives what was captured. */
    public void writeTo(Path archive) throws LifecycleException, IOException {
        CheckpointArchive.write(staging, archive);
    }

    @Override
    public void close() {
        resume();
        try {
            ContainerParts.deleteTree(staging.path());
        } catch (IOException e) {
            log.atWarn().addKeyValue("container", container.id()).setCause(e)
                    .log("could not delete a checkpoint's working directory");
        } finally {
            container.releaseCheckpoint();
        }
    }

    private OciRuntime runtime() throws LifecycleException {
        return deps.handlers().runtime(container.record().runtime());
    }

    private void writeDocuments(ContainerRecord record) throws IOException {
        staging.writeConfig(new ConfigDump(record.id(), record.config().getMetadata().getName(),
                record.config().getImage().getImage(), record.image().digestReference(),
                record.image().name(), record.runtime(), instant(record.times().created()),
                deps.clock().instant()));
        staging.writeDocument("status.dump",
                JSON.readTree(JsonFormat.printer().print(ContainerMessages.status(record))));
        ObjectNode status = JSON.createObjectNode();
        status.put("CreatedAt", record.times().created());
        status.put("StartedAt", record.times().started());
        status.put("FinishedAt", 0);
        status.put("ExitCode", 0);
        status.put("Pid", record.process().pid());
        status.put("Reason", "");
        status.put("Message", "");
        staging.writeDocument("status", status);
        if (!record.logPath().isEmpty() && Files.isRegularFile(Path.of(record.logPath()))) {
            Files.copy(Path.of(record.logPath()), staging.log());
        }
    }

    /** What CRI-O's {@code bind.mounts} has: where a restore needs a file, and where a directory. */
    private static ArrayNode bindMounts(JsonNode mounts) throws IOException {
        ArrayNode result = JSON.createArrayNode();
        for (JsonNode mount : mounts) {
            if (!isBind(mount)) {
                continue;
            }
            Path source = Path.of(mount.path("source").asText());
            try (var file = Openat.open(RawPath.of(source), OpenFlags.O_PATH)) {
                var stat = Openat.stat(file);
                result.addObject().put("source", source.toString())
                        .put("destination", mount.path("destination").asText())
                        .put("file_type", stat.isDirectory() ? "directory" : "file")
                        .put("permissions", stat.permissions());
            }
        }
        return result;
    }

    static boolean isBind(JsonNode mount) {
        if (mount.path("type").asText().equals("bind")) {
            return true;
        }
        for (JsonNode option : mount.path("options")) {
            if (option.asText().equals("bind") || option.asText().equals("rbind")) {
                return true;
            }
        }
        return false;
    }

    private static boolean usesSharedMemory(JsonNode mounts, Path shm) {
        for (JsonNode mount : mounts) {
            if (mount.path("destination").asText().equals(SHM)) {
                return mount.path("source").asText().equals(shm.toString());
            }
        }
        return false;
    }

    private static Instant instant(long nanos) {
        return Instant.ofEpochSecond(TimeUnit.NANOSECONDS.toSeconds(nanos), nanos % 1_000_000_000L);
    }

    /** What a daemon that died left: resumes the container and deletes the half-made checkpoint. */
    static void recover(Container container, ContainerDeps deps) {
        Path staging = stagingOf(container.id(), deps);
        if (!Files.isDirectory(staging)) {
            return;
        }
        try {
            deps.handlers().runtime(container.record().runtime()).resume(container.id(),
                    deps.config().timeouts().oci());
            ContainerParts.deleteTree(staging);
            log.atInfo().addKeyValue("container", container.id())
                    .log("resumed a container whose checkpoint an earlier daemon did not finish");
        } catch (LifecycleException | IOException e) {
            log.atError().addKeyValue("container", container.id()).setCause(e).log(
                    "could not resume a container whose checkpoint an earlier daemon did not finish");
        }
    }
}
