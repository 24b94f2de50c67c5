package io.berth.runtime.container;

import io.berth.cri.v1.ContainerEventType;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.lifecycle.Together;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.shim.ExitRecord;
import io.berth.runtime.shim.Shim;
import io.berth.runtime.shim.ShimException;
import io.berth.runtime.state.ContainerPhase;
import io.berth.runtime.state.ContainerRecord;
import io.berth.runtime.state.StateException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes up the containers of an earlier daemon: those that still run, those that ended meanwhile, and half-made ones. */
final class RecoverContainers {
    private static final Logger log = LoggerFactory.getLogger(RecoverContainers.class);
    private static final Duration RETRY_PAUSE = Duration.ofSeconds(2);

    private final ContainerDeps deps;
    private final ContainerParts parts;
    private final ContainerEnd end;
    private final RemoveContainer remove;

    RecoverContainers(ContainerDeps deps, ContainerParts parts, ContainerEnd end, RemoveContainer remove) {
        this.deps = deps;
        this.parts = parts;
        this.end = end;
        this.remove = remove;
    }

    /**
     * Returns when all are known and those that answer are watched. What only frees space goes on in the background. The
     * sandboxes must have been recovered before.
     */
    void recover(List<ContainerRecord> records) throws Exception {
        List<Together.Step> steps = new ArrayList<>();
        List<Together.Step> later = new ArrayList<>();
        for (ContainerRecord record : records) {
            Optional<Sandbox> sandbox = deps.sandboxes().find(record.sandboxId());
            if (sandbox.isEmpty()) {
                log.atWarn().addKeyValue("container", record.id()).addKeyValue("sandbox", record.sandboxId())
                        .log("container belongs to no sandbox; its parts are cleaned up");
                continue;
            }
            Container container = deps.containers().restore(record, sandbox.get());
            switch (record.phase()) {
                case CREATING -> steps.add(() -> undo(container));
                case CREATED, RUNNING -> steps.add(() -> find(container));
                case EXITED -> {
                    container.markEnded();
                    later.add(() -> releaseRest(container));
                }
                case REMOVING -> {
                    container.markEnded();
                    later.add(() -> removeRest(container));
                }
            }
        }
        Together.run(steps);
        Thread.startVirtualThread(() -> oneByOne(later));
    }

    /** CreateContainer had not answered: nobody knows this container. */
    private void undo(Container container) throws StateException {
        try {
            deps.shims().attach(deps.layout().shim(container.id()), deps.config().timeouts().shim())
                    .ifPresent(Shim::destroy);
            parts.deleteRuntimeState(container.record());
            parts.deleteFiles(container.id());
            deps.containers().forget(container);
            log.atInfo().addKeyValue("container", container.id()).log("undid a half-made container");
        } catch (IOException | LifecycleException e) {
            log.atError().addKeyValue("container", container.id()).setCause(e)
                    .log("could not undo a half-made container; it is listed as ended");
            deps.containers().update(container, record -> record.exited(Times.nanos(deps.clock().instant()),
                    new ContainerRecord.End(ContainerEnd.UNKNOWN_EXIT, "CreateError",
                            "the daemon ended while this container was being created")));
            container.markEnded();
            container.markReleased(false);
        }
    }

    private void find(Container container) throws Exception {
        Path directory = deps.layout().shim(container.id());
        Optional<Shim> shim = deps.shims().attach(directory, deps.config().timeouts().shim());
        if (shim.isPresent()) {
            takeUp(container, shim.get());
            return;
        }
        Optional<ExitRecord> exit = deps.shims().readExit(directory);
        if (exit.isPresent()) {
            end.record(container, exit.get());
        } else if (shimLives(container.record())) {
            log.atWarn().addKeyValue("container", container.id())
                    .log("shim does not answer; the container is watched once it does");
            Thread.startVirtualThread(() -> findLater(container));
        } else {
            end.recordLost(container, Files.isDirectory(directory)
                    ? "the container's shim was lost while the daemon was away; Berth ended the container"
                    : "the node restarted while the container was there");
        }
    }

    private void takeUp(Container container, Shim shim) throws Exception {
        if (container.record().phase() == ContainerPhase.CREATED
                && container.record().times().started() != 0) {
            finishStart(container, shim);
        }
        end.watch(container, shim);
    }

    /** A start was under way. Asking again either starts the container or is refused because it is started. */
    private void finishStart(Container container, Shim shim) throws StateException {
        try {
            shim.start(deps.config().timeouts().oci());
        } catch (ShimException e) {
            log.atInfo().addKeyValue("container", container.id()).setCause(e)
                    .log("container was started already when the daemon ended");
        }
        deps.containers().update(container, record -> record.withPhase(ContainerPhase.RUNNING));
        deps.containers().publish(ContainerEventType.CONTAINER_STARTED_EVENT, container,
                container.record().times().started());
    }

    private void findLater(Container container) {
        while (!container.hasEnded()) {
            try {
                Thread.sleep(RETRY_PAUSE);
                Optional<Shim> shim = deps.shims().attach(deps.layout().shim(container.id()),
                        deps.config().timeouts().shim());
                if (shim.isPresent()) {
                    takeUp(container, shim.get());
                    return;
                }
                if (!shimLives(container.record())) {
                    find(container);
                    return;
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            } catch (Exception e) {
                log.atWarn().addKeyValue("container", container.id()).setCause(e)
                        .log("could not take up a container; trying again");
            }
        }
    }

    private static boolean shimLives(ContainerRecord record) throws IOException {
        Path comm = Path.of("/proc", Long.toString(record.process().shimPid()), "comm");
        return record.process().shimPid() > 0 && Files.exists(comm)
                && Files.readString(comm).startsWith("berth-shim");
    }

    private void releaseRest(Container container) throws LifecycleException {
        Path left = deps.handlers().runtime(container.record().runtime()).stateRoot().resolve(container.id());
        Optional<Shim> shim = deps.shims().attach(deps.layout().shim(container.id()),
                deps.config().timeouts().shim());
        container.shim(shim.orElse(null));
        if (shim.isPresent() || Files.exists(left)) {
            parts.release(container);
        } else {
            container.markReleased(true);
        }
    }

    private void removeRest(Container container) throws Exception {
        container.markReleased(false);
        remove.remove(container);
    }

    private static void oneByOne(List<Together.Step> steps) {
        for (Together.Step step : steps) {
            try {
                step.run();
            } catch (Exception e) {
                log.atWarn().setCause(e)
                        .log("could not clean up after an earlier daemon; a later removal tries again");
            }
        }
    }
}
