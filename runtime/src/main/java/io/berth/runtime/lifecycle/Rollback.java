package io.berth.runtime.lifecycle;

import java.util.ArrayDeque;
import java.util.Deque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How to undo what a creation has done so far, newest first. Steps that run side by side may add to it. */
public final class Rollback {
    private static final Logger log = LoggerFactory.getLogger(Rollback.class);

    private final String object;
    private final Deque<Step> steps = new ArrayDeque<>();

    /** @param object what is being created, for the log */
    public Rollback(String object) {
        this.object = object;
    }

    /** One step's undoing; undoing what is not there must succeed. */
    public interface Undo {
        void run() throws Exception;
    }

    /** Remembers how to undo a step. Call it before a step that can fail half-way, after one that cleans up itself. */
    public synchronized void add(String step, Undo undo) {
        steps.push(new Step(step, undo));
    }

    /**
     * Undoes everything. A step that cannot be undone is logged and added to {@code failure} as suppressed; the others go
     * on.
     *
     * @return whether nothing is left
     */
    public synchronized boolean run(Throwable failure) {
        boolean clean = true;
        while (!steps.isEmpty()) {
            Step step = steps.pop();
            try {
                step.undo.run();
            } catch (Exception e) {
                if (e instanceof InterruptedException) {
                    Thread.currentThread().interrupt();
                }
                clean = false;
                failure.addSuppressed(e);
                log.atError().addKeyValue("object", object).addKeyValue("step", step.name).setCause(e)
                        .log("could not undo a step");
            }
        }
        return clean;
    }

    private record Step(String name, Undo undo) {}
}
