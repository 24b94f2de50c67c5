package io.berth.runtime.container;

import io.berth.imagestore.Snapshots;
import io.berth.linux.Mounts;
import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.sandbox.RuntimeHandlers;
import io.berth.runtime.shim.Shim;
import io.berth.runtime.shim.ShimException;
import io.berth.runtime.shim.ShimSpec;
import io.berth.runtime.state.ContainerRecord;
import io.berth.runtime.state.Layout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes apart what a container is made of. Every step succeeds where there is nothing to take apart. */
final class ContainerParts {
    private static final Logger log = LoggerFactory.getLogger(ContainerParts.class);

    private final RuntimeHandlers handlers;
    private final Cgroups cgroups;
    private final Snapshots snapshots;
    private final ImageVolumes imageVolumes;
    private final Layout layout;
    private final Duration ociTimeout;
    private final Duration shimTimeout;

    ContainerParts(RuntimeHandlers handlers, Cgroups cgroups, Snapshots snapshots,
            ImageVolumes imageVolumes, Layout layout,
            Duration ociTimeout, Duration shimTimeout) {
        this.handlers = handlers;
        this.cgroups = cgroups;
        this.snapshots = snapshots;
        this.imageVolumes = imageVolumes;
        this.layout = layout;
        this.ociTimeout = ociTimeout;
        this.shimTimeout = shimTimeout;
    }

    /**
     * Has the OCI runtime, the cgroup and the shim let go of a container that has ended. Runs once for each container;
     * whatever fails is logged, and tried again by {@link #deleteRuntimeState} when the container is removed.
     */
    void release(Container container) {
        boolean clean = true;
        try {
            deleteRuntimeState(container.record());
        } catch (LifecycleException | IOException e) {
            clean = false;
            log.atWarn().addKeyValue("container", container.id()).setCause(e)
                    .log("could not clean up after a container; removing it tries again");
        }
        container.shim().ifPresent(shim -> {
            tellLostLog(container, shim);
            letGo(shim);
        });
        container.shim(null);
        container.markReleased(clean);
    }

    /** Deletes the OCI runtime's state of the container, ends what is left in its cgroup and removes that. */
    void deleteRuntimeState(ContainerRecord record) throws LifecycleException, IOException {
        try {
            handlers.runtime(record.runtime()).delete(record.id(), ociTimeout);
        } catch (OciException e) {
            // Not the last word: a hung runtime must not keep processes alive.
            killAll(record);
            throw e;
        }
        killAll(record);
    }

    /** Ends every process of the container by its cgroup, whatever its shim and OCI runtime do. */
    void killAll(ContainerRecord record) throws IOException {
        if (!record.cgroupsPath().isEmpty()) {
            cgroups.killAndRemove(record.cgroupsPath());
        }
    }

    /**
     * Unmounts what was mounted for the OCI runtime to bind: a container that is made has it in its own mount namespace. What is
     * mounted is never looked into.
     */
    void unmountSources(String containerId) throws IOException {
        Path directory = layout.mountSources(containerId);
        if (!Files.isDirectory(directory)) {
            return;
        }
        for (Path source : children(directory)) {
            Mounts.unmountAll(source);
            Files.delete(source);
        }
        Files.delete(directory);
    }

    /**
     * Unmounts and deletes the root filesystem, the volumes of the image, the bundle and the shim's directory. The log stays, it
     * is the caller's.
     */
    void deleteFiles(String containerId) throws IOException {
        unmountSources(containerId);
        imageVolumes.remove(containerId);
        snapshots.unmount(layout.rootfs(containerId));
        snapshots.remove(containerId);
        deleteTree(layout.shim(containerId));
        deleteTree(layout.bundle(containerId));
    }

    private void tellLostLog(Container container, Shim shim) {
        try {
            long lines = shim.lostLogLines(shimTimeout);
            if (lines > 0) {
                log.atWarn().addKeyValue("container", container.id()).addKeyValue("lines", lines)
                        .addKeyValue("log", container.record().logPath())
                        .log("lines of a container's log are lost, its disk was full");
            }
        } catch (ShimException e) {
            log.atDebug().addKeyValue("shim", shim.shimPid()).setCause(e)
                    .log("shim does not tell what its log has lost");
        }
    }

    /** What the container's shim is started with. */
    ShimSpec shimSpec(ContainerRecord record, List<String> runtime, List<String> createArguments,
            boolean restore) {
        @Nullable
        Path log = record.logPath().isEmpty() ? null : Path.of(record.logPath());
        return new ShimSpec(layout.shim(record.id()), record.id(), layout.bundle(record.id()), runtime,
                createArguments, log, record.config().getTty(), record.config().getStdin(),
                record.config().getStdinOnce(), restore);
    }

    private static List<Path> children(Path directory) throws IOException {
        try (Stream<Path> children = Files.list(directory)) {
            return children.toList();
        }
    }

    private void letGo(Shim shim) {
        try {
            shim.shutdown(shimTimeout);
        } catch (ShimException e) {
            log.atWarn().addKeyValue("shim", shim.shimPid()).setCause(e).log("shim does not end, killing it");
            shim.destroy();
        } finally {
            shim.close();
        }
    }

    /** Deletes a tree of files and directories; follows no link. Nothing in it is a mount any more. */
    static void deleteTree(Path top) throws IOException {
        try (Stream<Path> paths = Files.walk(top)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        } catch (NoSuchFileException e) {
            // Already gone.
            return;
        }
    }
}
