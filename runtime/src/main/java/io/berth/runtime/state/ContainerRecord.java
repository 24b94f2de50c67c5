package io.berth.runtime.state;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerMetadata;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.LinuxContainerUser;
import java.nio.file.Files;

/**
 * A container as it is persisted.
 *
 * @param config as requested
 * @param resources as they are now: those of {@code config} and of every update since
 * @param image what it was made from
 * @param runtime the configured OCI runtime
 * @param cgroupsPath the spec's {@code linux.cgroupsPath}; empty until it is known
 * @param logPath absolute path of the log, empty where output is discarded
 * @param user what its first process runs as
 * @param stopSignal the signal's number
 * @param process its processes on the host
 * @param times when it was created, started and ended
 * @param end how it ended
 */
public record ContainerRecord(String id, String sandboxId, ContainerPhase phase, ContainerConfig config,
        LinuxContainerResources resources, ImageRef image, String runtime, String cgroupsPath, String logPath,
        LinuxContainerUser user, int stopSignal, Processes process, Times times, End end) {
    /**
     * @param id digest of the image's config
     * @param digestReference a {@code name@digest} of it, or its id where it has none
     * @param name a tag of it, or what was asked for where it has none
     */
    public record ImageRef(String id, String digestReference, String name) {}

    /** Host pids; 0 where there is none. */
    public record Processes(long pid, long shimPid) {
        public static final Processes NONE = new Processes(0, 0);
    }

    /** Nanoseconds since the epoch; 0 for not yet. */
    public record Times(long created, long started, long finished) {}

    /** @param reason CRI reason word, such as {@code Completed}, {@code Error}, {@code OOMKilled} */
    public record End(int exitCode, String reason, String message) {
        public static final End NOT_YET = new End(0, "", "");
    }

    /** What a caller's retry has in common with its first try. */
    public String nameKey() {
        return nameKey(sandboxId, config.getMetadata());
    }

    /** The same of a request. */
    public static String nameKey(String sandboxId, ContainerMetadata metadata) {
        return String.join("/", sandboxId, metadata.getName(),
                Integer.toUnsignedString(metadata.getAttempt()));
    }

    public ContainerRecord withPhase(ContainerPhase next) {
        return new ContainerRecord(id, sandboxId, next, config, resources, image, runtime, cgroupsPath,
                logPath,
                user, stopSignal, process, times, end);
    }

    public ContainerRecord created(LinuxContainerUser runsAs, Processes processes) {
        return new ContainerRecord(id, sandboxId, ContainerPhase.CREATED, config, resources, image, runtime,
                cgroupsPath, logPath, runsAs, stopSignal, processes, times, end);
    }

    /** A start has been asked for; it counts from here, once it has succeeded. */
    public ContainerRecord starting(long atNanos) {
        return new ContainerRecord(id, sandboxId, phase, config, resources, image, runtime, cgroupsPath,
                logPath,
                user, stopSignal, process, new Times(times.created(), atNanos, times.finished()), end);
    }

    public ContainerRecord exited(long atNanos, End how) {
        return new ContainerRecord(id, sandboxId, ContainerPhase.EXITED, config, resources, image, runtime,
                cgroupsPath, logPath, user, stopSignal, Processes.NONE,
                new Times(times.created(), times.started(), atNanos), how);
    }

    /** Whether it has been made from a checkpoint, which nobody has asked yet to go on from. */
    public boolean awaitsRestore(Layout layout) {
        return phase == ContainerPhase.CREATED && times.started() == 0 && process.equals(Processes.NONE)
                && Files.isDirectory(layout.restore(id));
    }

    public ContainerRecord withResources(LinuxContainerResources now) {
        return new ContainerRecord(id, sandboxId, phase, config, now, image, runtime, cgroupsPath, logPath,
                user,
                stopSignal, process, times, end);
    }
}
