package io.berth.runtime.container;

import io.berth.linux.ProcessTable;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.lifecycle.Together;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.shim.ExitRecord;
import io.berth.runtime.shim.Shim;
import io.berth.runtime.state.ContainerPhase;
import io.berth.runtime.state.ContainerRecord;
import io.berth.runtime.state.StateException;
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
    private static final String NODE_RESTARTED = "the node restarted while the container was there";
    private static final Duration PATIENCE = Duration.ofMillis(500);

    private final ContainerDeps deps;
    private final ContainerParts parts;
    private final ContainerEnd end;
    private final StartContainer start;
    private final RemoveContainer remove;

    RecoverContainers(ContainerDeps deps, ContainerParts parts, ContainerEnd end, StartContainer start,
            RemoveContainer remove) {
        this.deps = deps;
        this.parts = parts;
        this.end = end;
        this.start = start;
        this.remove = remove;
    }

    /**
     * Returns when all are known and watched. What only frees space, undoes what nobody knows of, or waits for an OCI runtime
     * goes on in the background. The sandboxes must have been recovered before.
     */
    void recover(List<ContainerRecord> records, boolean rebooted) throws Exception {
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
                case CREATING -> Thread.startVirtualThread(() -> undo(container));
                case CREATED, RUNNING -> steps.add(() -> find(container, rebooted));
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

    /** CreateContainer had not answered: nobody knows this container. Its sandbox is not taken apart meanwhile. */
    private void undo(Container container) {
        try {
            container.sandbox().whileNotStopping(() -> {
                deps.shims().end(deps.layout().shim(container.id()), container.id());
                parts.deleteRuntimeState(container.record());
                parts.deleteFiles(container.id());
                deps.containers().forget(container);
                return true;
            });
            log.atInfo().addKeyValue("container", container.id()).log("undid a half-made container");
        } catch (Exception e) {
            log.atError().addKeyValue("container", container.id()).setCause(e)
                    .log("could not undo a half-made container; it is listed as ended");
            listAsEnded(container);
        }
    }

    private void listAsEnded(Container container) {
        try {
            deps.containers().update(container, record -> record.exited(Times.nanos(deps.clock().instant()),
                    new ContainerRecord.End(ContainerEnd.UNKNOWN_EXIT, "CreateError",
                            "the daemon ended while this container was being created")));
        } catch (StateException e) {
            log.atError().addKeyValue("container", container.id()).setCause(e)
                    .log("could not record that a half-made container is left; the next start tries again");
        }
        container.markEnded();
        container.markReleased(false);
    }

    private void find(Container container, boolean rebooted) throws Exception {
        if (!rebooted && container.record().awaitsRestore(deps.layout())) {
            return;
        }
        if (!rebooted) {
            ContainerCheckpoint.recover(container, deps);
        }
        Path directory = deps.layout().shim(container.id());
        if (rebooted) {
            endOfBoot(container, directory);
            return;
        }
        Optional<Shim> shim = deps.shims().attach(directory, patience());
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
                    : NODE_RESTARTED);
        }
    }

    /** No process of before is there, whoever has its number. An end that was written down before counts. */
    private void endOfBoot(Container container, Path directory) throws Exception {
        Optional<ExitRecord> exit = deps.shims().readExit(directory);
        if (exit.isPresent()) {
            end.record(container, exit.get());
        } else {
            end.recordLost(container, NODE_RESTARTED);
        }
    }

    private void takeUp(Container container, Shim shim) {
        end.watch(container, shim);
        if (container.record().phase() == ContainerPhase.CREATED
                && container.record().times().started() != 0) {
            // A start was under way. In the background, since the OCI runtime may hang.
            Thread.startVirtualThread(() -> start.resume(container));
        }
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
                    find(container, false);
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

    /** A frozen shim must not keep the daemon from serving all others; one that answers later is taken up as it is. */
    private Duration patience() {
        Duration limit = deps.config().timeouts().shim();
        return limit.compareTo(PATIENCE) < 0 ? limit : PATIENCE;
    }

    /** Whether the recorded process is there and is this container's: its number may be another's by now. */
    private static boolean shimLives(ContainerRecord record) {
        return record.process().shimPid() > 0
                && ProcessTable.hasArgument(record.process().shimPid(), record.id());
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
