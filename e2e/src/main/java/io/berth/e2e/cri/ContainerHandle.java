package io.berth.e2e.cri;

import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStats;
import io.berth.cri.v1.ContainerStatsRequest;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ContainerStatusRequest;
import io.berth.cri.v1.ExecSyncRequest;
import io.berth.cri.v1.ExecSyncResponse;
import io.berth.cri.v1.RemoveContainerRequest;
import io.berth.cri.v1.StartContainerRequest;
import io.berth.cri.v1.StopContainerRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;

/** A container of a {@link PodHandle}. */
public final class ContainerHandle {
    private static final Duration EXIT_TIMEOUT = Duration.ofSeconds(60);

    private final Cri cri;
    private final String id;
    private final Path logFile;

    ContainerHandle(Cri cri, String id, Path logFile) {
        this.cri = cri;
        this.id = id;
        this.logFile = logFile;
    }

    public String id() {
        return id;
    }

    public Path logFile() {
        return logFile;
    }

    public ContainerHandle start() {
        cri.runtime().startContainer(StartContainerRequest.newBuilder().setContainerId(id).build());
        return this;
    }

    public ContainerStatus status() {
        return cri.runtime().containerStatus(
                ContainerStatusRequest.newBuilder().setContainerId(id).build()).getStatus();
    }

    public ContainerStats stats() {
        return cri.runtime().containerStats(
                ContainerStatsRequest.newBuilder().setContainerId(id).build()).getStats();
    }

    /** Runs {@code command} in the container, for at most {@code timeoutSeconds} (0: any time). */
    public ExecSyncResponse exec(long timeoutSeconds, String... command) {
        return cri.runtime().execSync(ExecSyncRequest.newBuilder()
                .setContainerId(id).addAllCmd(List.of(command)).setTimeout(timeoutSeconds).build());
    }

    /** What {@code script} writes to stdout when run by sh in the container; it must exit with 0. */
    public String sh(String script) {
        ExecSyncResponse response = exec(0, "/bin/sh", "-c", script);
        if (response.getExitCode() != 0) {
            throw new AssertionError("in the container \"%s\" exited with %d: %s%s".formatted(script,
                    response.getExitCode(), response.getStdout().toStringUtf8(),
                    response.getStderr().toStringUtf8()));
        }
        return response.getStdout().toStringUtf8().strip();
    }

    /** Waits until the container has ended. */
    public ContainerStatus awaitExit() {
        return Await.until("container " + id + " has ended", EXIT_TIMEOUT, this::status,
                status -> status.getState() == ContainerState.CONTAINER_EXITED);
    }

    /** Waits until the container has written {@code lines} lines to its log, and returns all of it. */
    public List<LogLine> awaitLog(int lines) {
        return Await.until(lines + " lines in " + logFile, EXIT_TIMEOUT, this::log, l -> l.size() >= lines);
    }

    /** The log so far; empty where there is no file yet. */
    public List<LogLine> log() {
        try {
            return Files.exists(logFile) ? LogLine.read(logFile) : List.of();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What the container wrote to stdout before it ended, parts of long lines joined. */
    public String output() {
        awaitExit();
        return log().stream().filter(line -> "stdout".equals(line.stream()))
                .map(line -> line.text() + (line.partial() ? "" : "\n")).collect(Collectors.joining())
                .strip();
    }

    /** Asks the container to end, and kills it after {@code graceSeconds}. */
    public void stop(long graceSeconds) {
        cri.runtime().stopContainer(
                StopContainerRequest.newBuilder().setContainerId(id).setTimeout(graceSeconds).build());
    }

    public void remove() {
        cri.runtime().removeContainer(RemoveContainerRequest.newBuilder().setContainerId(id).build());
    }
}
