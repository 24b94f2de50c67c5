package io.berth.runtime.container;

import io.berth.cri.v1.CreateContainerRequest;
import io.berth.cri.v1.ExecSyncResponse;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.TimeLimit;
import io.berth.runtime.lifecycle.Together;
import io.berth.runtime.sandbox.PodContainers;
import io.berth.runtime.shim.ExecSession;
import io.berth.runtime.state.ContainerRecord;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/** What can happen to containers: the CRI verbs, what a sandbox's end does, and the taking up of an earlier daemon's. */
public final class ContainerLifecycle implements PodContainers {
    private final ContainerDeps deps;
    private final CreateContainer create;
    private final StartContainer start;
    private final StopContainer stop;
    private final RemoveContainer remove;
    private final ContainerStdio stdio;
    private final ExecSync execSync;
    private final AdjustContainer adjust;
    private final CheckpointContainer checkpoint;
    private final RecoverContainers recover;
    private final Orphans orphans;

    public ContainerLifecycle(ContainerDeps deps) {
        this.deps = deps;
        ImageVolumes imageVolumes = new ImageVolumes(deps.images(), deps.snapshots());
        ContainerParts parts = new ContainerParts(deps.handlers(), deps.cgroups(), deps.snapshots(),
                imageVolumes, deps.layout(),
                deps.config().timeouts().oci(), deps.config().timeouts().shim());
        ContainerEnd end = new ContainerEnd(deps.containers(), parts, deps.clock());
        this.create = new CreateContainer(deps, parts, imageVolumes, end);
        this.start = new StartContainer(deps, parts, end);
        this.stop = new StopContainer(deps, parts, end);
        this.remove = new RemoveContainer(deps, parts, stop);
        this.stdio = new ContainerStdio(deps);
        this.execSync = new ExecSync(stdio, deps.config());
        this.adjust = new AdjustContainer(deps);
        this.checkpoint = new CheckpointContainer(deps);
        this.recover = new RecoverContainers(deps, parts, end, start, remove);
        this.orphans = new Orphans(deps, parts);
    }

    /** CRI {@code CreateContainer}. An equal request for a name that is in flight or alive gets that container. */
    public Container create(CreateContainerRequest request) throws Exception {
        return create.create(request);
    }

    /**
     * A container that goes on from the checkpoint in {@code archive} when it is started. {@code request} must describe the
     * checkpointed process; its image is the one that the checkpointed container had.
     */
    public Container createFrom(Path archive, CreateContainerRequest request) throws Exception {
        return create.createFrom(archive, request);
    }

    /** CRI {@code CheckpointContainer}. */
    public void checkpoint(String idOrPrefix, String location, TimeLimit limit) throws Exception {
        checkpoint.checkpoint(idOrPrefix, location, limit);
    }

    /** A container's part of a pod's checkpoint, which the caller closes. */
    public ContainerCheckpoint beginCheckpoint(Container container, TimeLimit limit)
            throws LifecycleException, IOException {
        return ContainerCheckpoint.begin(container, deps, limit);
    }

    /** CRI {@code StartContainer}; running already is success. */
    public void start(String idOrPrefix) throws Exception {
        start.start(idOrPrefix);
    }

    /** CRI {@code StopContainer}; absent or ended is success. */
    public void stop(String idOrPrefix, Duration grace) throws Exception {
        stop.stop(idOrPrefix, grace);
    }

    /** CRI {@code RemoveContainer}; absent is success. */
    public void remove(String idOrPrefix) throws Exception {
        remove.remove(idOrPrefix);
    }

    /** CRI {@code ExecSync}; {@code timeout} zero for none. The command is killed when {@code callerGone} completes. */
    public ExecSyncResponse execSync(String idOrPrefix, List<String> command, Duration timeout,
            CompletableFuture<?> callerGone) throws Exception {
        return execSync.run(idOrPrefix, command, timeout, callerGone);
    }

    /** The container, where a process can join it now; FAILED_PRECONDITION where it does not run. */
    public Container requireRunning(String idOrPrefix) throws LifecycleException {
        return stdio.requireRunning(idOrPrefix);
    }

    /** Starts a process in a running container, for a client of CRI {@code Exec}. */
    public ExecSession exec(String id, List<String> command, boolean tty, boolean stdin)
            throws LifecycleException, IOException {
        return stdio.exec(stdio.requireRunning(id), command, tty, stdin, deps.config().timeouts().oci());
    }

    /** Joins the stdio of a running container, for a client of CRI {@code Attach}. */
    public ExecSession attach(String id) throws LifecycleException, IOException {
        return stdio.attach(stdio.requireRunning(id));
    }

    /** CRI {@code UpdateContainerResources}. */
    public void update(String idOrPrefix, LinuxContainerResources wanted) throws Exception {
        adjust.update(idOrPrefix, wanted);
    }

    /** CRI {@code ReopenContainerLog}. */
    public void reopenLog(String idOrPrefix) throws Exception {
        adjust.reopenLog(idOrPrefix);
    }

    @Override
    public void killAll(String sandboxId) throws Exception {
        Together.run(deps.containers().ofSandbox(sandboxId).stream()
                .map(container -> (Together.Step) () -> stop.stop(container, Duration.ZERO)).toList());
    }

    @Override
    public void removeAll(String sandboxId) throws Exception {
        Together.run(deps.containers().ofSandbox(sandboxId).stream()
                .map(container -> (Together.Step) () -> remove.remove(container)).toList());
    }

    /**
     * Takes up the containers of an earlier daemon; to be called once, after the sandboxes, before the first request.
     *
     * @param rebooted whether the node has restarted since
     */
    public void recover(List<ContainerRecord> records, boolean rebooted) throws Exception {
        recover.recover(records, rebooted);
        Set<String> unknown = orphans.find(deps.containers().ids());
        Thread.startVirtualThread(() -> orphans.clean(unknown));
    }
}
