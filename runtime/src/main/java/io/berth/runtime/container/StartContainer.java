package io.berth.runtime.container;

import io.berth.cri.v1.ContainerEventType;
import io.berth.runtime.checkpoint.CheckpointDirectory;
import io.berth.runtime.checkpoint.CriuLog;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.oci.OciRuntime;
import io.berth.runtime.shim.Shim;
import io.berth.runtime.shim.ShimException;
import io.berth.runtime.state.ContainerPhase;
import io.berth.runtime.state.ContainerRecord;
import io.berth.runtime.state.StateException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CRI {@code StartContainer}. */
final class StartContainer {
    private static final Logger log = LoggerFactory.getLogger(StartContainer.class);
    /** What a shell gives for a command that cannot be invoked, and what kubelet knows from other runtimes. */
    private static final int START_FAILED_EXIT = 128;
    private static final String START_ERROR = "StartError";
    private static final Duration RESUME_PAUSE = Duration.ofMillis(50);

    private final ContainerDeps deps;
    private final ContainerParts parts;
    private final ContainerEnd end;

    StartContainer(ContainerDeps deps, ContainerParts parts, ContainerEnd end) {
        this.deps = deps;
        this.parts = parts;
        this.end = end;
    }

    /**
     * Starts a created container. A container has one start, and every call answers with how that went: a caller that gave
     * up and comes again gets its success, even where the container has ended since.
     */
    void start(String idOrPrefix) throws Exception {
        Container container = deps.containers().require(idOrPrefix);
        container.exclusively(() -> {
            startLocked(container);
            return true;
        });
    }

    private void startLocked(Container container) throws Exception {
        switch (container.record().phase()) {
            case RUNNING ->
                log.atDebug().addKeyValue("container", container.id()).log("container runs already");
            case CREATED -> run(container);
            case CREATING, EXITED, REMOVING -> answerEnded(container);
        }
    }

    private static void answerEnded(Container container) throws LifecycleException {
        ContainerRecord record = container.record();
        if (record.times().started() == 0 || record.end().reason().equals(START_ERROR)) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION,
                    "container " + container.id() + " has ended without having run ("
                            + record.end().reason() + ": " + record.end().message()
                            + "); remove it and create a new one");
        }
        log.atInfo().addKeyValue("container", container.id())
                .log("container was started before and has ended; it does not run again");
    }

    /** Ends what a daemon has begun that ended before it knew how its start went. */
    void resume(Container container) {
        try {
            container.exclusively(() -> {
                if (container.record().phase() == ContainerPhase.CREATED) {
                    run(container);
                }
                return true;
            });
        } catch (Exception e) {
            log.atWarn().addKeyValue("container", container.id()).setCause(e)
                    .log("could not finish the start that an earlier daemon began");
        }
    }

    private void run(Container container) throws Exception {
        if (!container.sandbox().ready()) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "sandbox "
                    + container.sandbox().id() + " of container " + container.id() + " is not ready");
        }
        if (container.record().awaitsRestore(deps.layout())) {
            restore(container);
            return;
        }
        Shim shim = container.shim().orElseThrow(() -> new LifecycleException(
                LifecycleException.Kind.PRECONDITION, "container " + container.id()
                        + " has no shim that answers; remove it and create a new one"));
        // Taken before, so that no container ends before it began; persisted before, so that a daemon that ends right
        // after the start knows that one was asked for.
        boolean askedBefore = container.record().times().started() != 0;
        if (!askedBefore) {
            long now = Times.nanos(deps.clock().instant());
            deps.containers().update(container, record -> record.starting(now));
            container.execBarrier(new ExecBarrier(shim.containerPid()));
        }
        try {
            start(shim, askedBefore);
        } catch (ShimException e) {
            var named = new ShimException(e.kind(), "start container " + container.id() + " ("
                    + container.record().config().getMetadata().getName() + ") with "
                    + container.record().runtime() + ": " + e.getMessage(), e);
            giveUp(container, shim, named);
            throw named;
        }
        if (container.record().process().equals(ContainerRecord.Processes.NONE)) {
            // Restored for a daemon that ended before it could write that down.
            deps.containers().update(container, record -> record.created(record.user(),
                    new ContainerRecord.Processes(shim.containerPid(), shim.shimPid())));
            ContainerParts.deleteTree(deps.layout().restore(container.id()));
        }
        started(container);
    }

    /** The OCI runtime restores the process, which runs at once. */
    private void restore(Container container) throws Exception {
        long now = Times.nanos(deps.clock().instant());
        deps.containers().update(container, record -> record.starting(now));
        Path directory = RestoreSources.directoryOf(container.id(), deps);
        CheckpointDirectory checkpoint = new CheckpointDirectory(directory);
        OciRuntime runtime = deps.handlers().runtime(container.record().runtime());
        Shim shim;
        try {
            shim = deps.shims().create(parts.shimSpec(container.record(), runtime.command(),
                    List.of("--image-path", checkpoint.images().toString(), "--work-path",
                            directory.toString(), "--file-locks"),
                    true), deps.config().timeouts().oci());
        } catch (ShimException e) {
            throw restoreFailed(container, checkpoint, e);
        }
        deps.containers().update(container, record -> record.created(record.user(),
                new ContainerRecord.Processes(shim.containerPid(), shim.shimPid())));
        end.watch(container, shim);
        started(container);
        ContainerParts.deleteTree(directory);
    }

    private ShimException restoreFailed(Container container, CheckpointDirectory checkpoint,
            ShimException failure) {
        String error = String.valueOf(failure.getMessage());
        String words = "restore container " + container.id() + " ("
                + container.record().config().getMetadata().getName() + ") with "
                + container.record().runtime() + ": " + error;
        String reason = CriuLog.reason(checkpoint.restoreLog());
        ShimException told = new ShimException(failure.kind(),
                reason.isEmpty() ? words : words + ". criu says: " + reason, failure);
        try {
            parts.killAll(container.record());
        } catch (IOException e) {
            told.addSuppressed(e);
        }
        end.recordLocked(container, START_FAILED_EXIT, START_ERROR, String.valueOf(told.getMessage()));
        return told;
    }

    private void started(Container container) throws StateException {
        ContainerRecord record = deps.containers().update(container,
                current -> current.withPhase(ContainerPhase.RUNNING));
        deps.containers().publish(ContainerEventType.CONTAINER_STARTED_EVENT, container,
                record.times().started());
        log.atInfo().addKeyValue("container", container.id()).log("container is started");
    }

    /** @param askedBefore whether an earlier daemon has asked, so that the start may be done or under way */
    private void start(Shim shim, boolean askedBefore) throws ShimException, InterruptedException {
        long end = System.nanoTime() + deps.config().timeouts().oci().toNanos();
        while (true) {
            try {
                shim.start(deps.config().timeouts().oci());
                return;
            } catch (ShimException e) {
                if (!askedBefore || e.kind() != ShimException.Kind.STATE) {
                    throw e;
                }
                if (shim.started(deps.config().timeouts().shim())) {
                    return;
                }
                if (System.nanoTime() > end) {
                    throw e;
                }
            }
            Thread.sleep(RESUME_PAUSE);
        }
    }

    /** A start that failed is final, and one that did not answer in time must not succeed later, unseen. */
    private void giveUp(Container container, Shim shim, ShimException failure) {
        shim.destroy();
        try {
            parts.killAll(container.record());
        } catch (IOException e) {
            failure.addSuppressed(e);
        }
        if (!container.hasEnded()) {
            end.recordLocked(container, START_FAILED_EXIT, START_ERROR,
                    String.valueOf(failure.getMessage()));
        }
    }
}
