package io.berth.runtime.container;

import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.shim.ExitRecord;
import io.berth.runtime.shim.Shim;
import io.berth.runtime.state.ContainerPhase;
import io.berth.runtime.state.ContainerRecord;
import io.berth.runtime.state.ContainerRecord.End;
import java.io.IOException;
import java.time.Clock;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What happens when a container ends by itself, by a signal, or because it could not start. */
final class ContainerEnd {
    /** The exit code of a container whose end nobody saw. */
    static final int UNKNOWN_EXIT = 255;
    private static final Logger log = LoggerFactory.getLogger(ContainerEnd.class);

    private final Containers containers;
    private final ContainerParts parts;
    private final Clock clock;

    ContainerEnd(Containers containers, ContainerParts parts, Clock clock) {
        this.containers = containers;
        this.parts = parts;
        this.clock = clock;
    }

    /** Gives the container its shim, and records its end when the shim tells it. */
    void watch(Container container, Shim shim) {
        container.shim(shim);
        Thread.startVirtualThread(() -> record(container, awaitExit(shim)));
    }

    private ExitRecord awaitExit(Shim shim) {
        try {
            return shim.exit().join();
        } catch (CompletionException | CancellationException e) {
            log.atWarn().addKeyValue("shim", shim.shimPid()).setCause(e).log("lost a shim");
            return new ExitRecord(UNKNOWN_EXIT, 0, false, clock.instant(), false);
        }
    }

    /** Records an end that a shim has reported, once; waits for a call that is changing the container. */
    void record(Container container, ExitRecord exit) {
        // A connection that this daemon closes itself, on its way out, says nothing about the container.
        while (!container.hasEnded() && !(containers.lettingGo() && !exit.known())) {
            try {
                container.exclusively(() -> {
                    recordLocked(container, exit);
                    return true;
                });
            } catch (LifecycleException e) {
                log.atWarn().addKeyValue("container", container.id())
                        .log("a container has ended, but a call on it still runs; waiting for that");
            } catch (Exception e) {
                log.atError().addKeyValue("container", container.id()).setCause(e)
                        .log("could not record the end of a container");
                return;
            }
        }
    }

    /** Records, once, the end of a container that has lost its shim, and sees to it that it has ended. */
    void recordLost(Container container, String message) throws Exception {
        container.exclusively(() -> {
            if (!container.hasEnded()) {
                killLost(container);
                finish(container, Times.nanos(clock.instant()), new End(UNKNOWN_EXIT, "Unknown", message));
            }
            return true;
        });
    }

    /** Records an end that Berth itself knows of. Needs the container's lock. */
    void recordLocked(Container container, int exitCode, String reason, String message) {
        finish(container, Times.nanos(clock.instant()), new End(exitCode, reason, message));
    }

    private void recordLocked(Container container, ExitRecord exit) {
        if (container.hasEnded()) {
            return;
        }
        if (!exit.known()) {
            killLost(container);
        }
        finish(container, Times.nanos(exit.at()), how(container.record(), exit));
    }

    /** Without its supervisor it has no log and no exit code; it must not go on unseen. */
    private void killLost(Container container) {
        try {
            parts.killAll(container.record());
        } catch (IOException e) {
            log.atError().addKeyValue("container", container.id()).setCause(e)
                    .log("could not end a container that has lost its shim");
        }
    }

    private void finish(Container container, long atNanos, End how) {
        // A clock that was set back must not let a container end before it began.
        long began = Math.max(container.record().times().started(), container.record().times().created());
        containers.ended(container, Math.max(atNanos, began), how);
        Thread.startVirtualThread(() -> parts.release(container));
    }

    private static End how(ContainerRecord record, ExitRecord exit) {
        if (!exit.known()) {
            return new End(UNKNOWN_EXIT, "Unknown",
                    "the container's shim was lost without an exit record; Berth ended the container");
        }
        if (record.phase() == ContainerPhase.CREATED && record.times().started() == 0) {
            return new End(exit.code(), "Error", "the container ended before it was started");
        }
        if (exit.code() == 0) {
            return new End(0, "Completed", "");
        }
        return new End(exit.code(), exit.oomKilled() ? "OOMKilled" : "Error", "");
    }
}
