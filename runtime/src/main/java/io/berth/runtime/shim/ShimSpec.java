package io.berth.runtime.shim;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * @param directory where the shim's socket, pid file and exit file live; made by the caller, on the state filesystem
 * @param containerId the OCI container id
 * @param bundle the OCI bundle directory
 * @param runtime the OCI runtime's command with its global arguments ({@code --root} among them)
 * @param createArguments further arguments of {@code create} or {@code restore}, such as {@code --systemd-cgroup}'s place requires
 * @param logPath the CRI log file; null to discard output
 * @param terminal whether the container has a pty
 * @param stdin whether the container's stdin stays open for attach
 * @param stdinOnce close stdin when the first attach ends
 * @param restore whether the container goes on from a checkpoint, and runs at once, in place of being created
 */
public record ShimSpec(Path directory, String containerId, Path bundle, List<String> runtime,
        List<String> createArguments, @Nullable Path logPath, boolean terminal, boolean stdin,
        boolean stdinOnce, boolean restore) {}
