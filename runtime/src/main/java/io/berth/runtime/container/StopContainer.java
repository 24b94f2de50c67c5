package io.berth.runtime.container;

import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.shim.Shim;
import io.berth.runtime.state.ContainerPhase;
import io.berth.runtime.state.ContainerRecord;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * CRI {@code StopContainer}. Waiting holds no lock: a caller with a shorter grace period overtakes one with a longer, and
 * all of them return when the container has ended.
 */
final class StopContainer {
    private static final Logger log = LoggerFactory.getLogger(StopContainer.class);
    /** How long a process may take to die of SIGKILL before Berth turns to the cgroup. */
    private static final Duration KILL_LIMIT = Duration.ofSeconds(10);
    private static final int KILLED_EXIT = 128 + StopSignals.SIGKILL;

    private final ContainerDeps deps;
    private final ContainerParts parts;
    private final ContainerEnd end;

    StopContainer(ContainerDeps deps, ContainerParts parts, ContainerEnd end) {
        this.deps = deps;
        this.parts = parts;
        this.end = end;
    }

    /** Sends the stop signal, waits for {@code grace}, then kills. Absent or ended is success. */
    void stop(String idOrPrefix, Duration grace) throws Exception {
        Optional<Container> container = deps.containers().find(idOrPrefix);
        if (container.isPresent()) {
            stop(container.get(), grace);
        }
    }

    void stop(Container container, Duration grace) throws Exception {
        if (container.hasEnded()) {
            return;
        }
        // A start that is under way ends first: its outcome decides what there is to stop.
        ContainerPhase phase = container.exclusively(() -> container.record().phase());
        if (phase == ContainerPhase.RUNNING && !grace.isZero() && stopGently(container, grace)) {
            return;
        }
        kill(container);
    }

    private boolean stopGently(Container container, Duration grace) throws Exception {
        ContainerRecord record = container.record();
        Optional<Shim> shim = container.shim();
        if (shim.isPresent() && container.claimStopSignal()) {
            Optional<ExecBarrier> started = container.execBarrier();
            if (started.isPresent()) {
                started.get().await();
            }
            shim.get().kill(record.stopSignal());
        }
        return container.awaitEnd(grace);
    }

    private void kill(Container container) throws Exception {
        if (container.record().awaitsRestore(deps.layout())) {
            container.exclusively(() -> {
                if (!container.hasEnded()) {
                    end.recordLocked(container, KILLED_EXIT, "Error",
                            "the container was stopped before it was restored");
                }
                return true;
            });
            return;
        }
        Optional<Shim> shim = container.shim();
        if (shim.isPresent()) {
            shim.get().kill(StopSignals.SIGKILL);
            if (container.awaitEnd(KILL_LIMIT)) {
                return;
            }
        }
        log.atWarn().addKeyValue("container", container.id())
                .log("no shim tells of the container's end; ending it by its cgroup");
        killWithoutShim(container);
    }

    /** The shim is frozen or lost: the cgroup says whether anything is left. */
    private void killWithoutShim(Container container) throws Exception {
        try {
            parts.killAll(container.record());
        } catch (IOException e) {
            throw new LifecycleException(LifecycleException.Kind.TIMEOUT, "container " + container.id()
                    + " does not end by SIGKILL: " + e.getMessage()
                    + ". A process may be in uninterruptible sleep, as on a storage that does not answer", e);
        }
        container.exclusively(() -> {
            if (!container.hasEnded()) {
                container.shim().ifPresent(Shim::destroy);
                end.recordLocked(container, KILLED_EXIT, "Error",
                        "ended by its cgroup, because its shim did not answer");
            }
            return true;
        });
    }
}
