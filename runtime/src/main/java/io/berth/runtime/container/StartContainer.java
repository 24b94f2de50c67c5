package io.berth.runtime.container;

import io.berth.cri.v1.ContainerEventType;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.shim.Shim;
import io.berth.runtime.shim.ShimException;
import io.berth.runtime.state.ContainerPhase;
import io.berth.runtime.state.ContainerRecord;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CRI {@code StartContainer}. */
final class StartContainer {
    private static final Logger log = LoggerFactory.getLogger(StartContainer.class);
    /** What a shell gives for a command that cannot be invoked, and what kubelet knows from other runtimes. */
    private static final int START_FAILED_EXIT = 128;

    private final ContainerDeps deps;
    private final ContainerParts parts;
    private final ContainerEnd end;

    StartContainer(ContainerDeps deps, ContainerParts parts, ContainerEnd end) {
        this.deps = deps;
        this.parts = parts;
        this.end = end;
    }

    /** Starts a created container. One that runs already is success: a caller that gave up comes again. */
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
            case CREATING, EXITED,
                    REMOVING ->
                throw new LifecycleException(LifecycleException.Kind.PRECONDITION,
                        "container " + container.id() + " has ended (" + container.record().end().reason()
                                + "); a container runs once, create a new one");
        }
    }

    private void run(Container container) throws Exception {
        if (!container.sandbox().ready()) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "sandbox "
                    + container.sandbox().id() + " of container " + container.id() + " is not ready");
        }
        Shim shim = container.shim().orElseThrow(() -> new LifecycleException(
                LifecycleException.Kind.PRECONDITION, "container " + container.id()
                        + " has no shim that answers; remove it and create a new one"));
        // Taken before, so that no container ends before it began; persisted before, so that a daemon that ends right
        // after the start knows that one was asked for.
        long now = Times.nanos(deps.clock().instant());
        deps.containers().update(container, record -> record.starting(now));
        container.execBarrier(new ExecBarrier(shim.containerPid()));
        try {
            shim.start(deps.config().timeouts().oci());
        } catch (ShimException e) {
            var named = new ShimException(e.kind(), "start container " + container.id() + " ("
                    + container.record().config().getMetadata().getName() + ") with "
                    + container.record().runtime() + ": " + e.getMessage(), e);
            giveUp(container, shim, named);
            throw named;
        }
        ContainerRecord record = deps.containers().update(container,
                current -> current.withPhase(ContainerPhase.RUNNING));
        deps.containers().publish(ContainerEventType.CONTAINER_STARTED_EVENT, container,
                record.times().started());
        log.atInfo().addKeyValue("container", container.id()).log("container is started");
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
            end.recordLocked(container, START_FAILED_EXIT, "StartError",
                    String.valueOf(failure.getMessage()));
        }
    }
}
