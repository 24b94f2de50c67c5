package io.berth.runtime.sandbox;

import io.berth.runtime.cni.Cni;
import io.berth.runtime.state.SandboxPhase;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has the pod network drop what it keeps of pods that are gone (CNI GC): what a lost database, a DEL that never succeeded or a
 * plugin's own mistake have left. One run at a time, in the background.
 */
final class NetworkCollector {
    private static final Logger log = LoggerFactory.getLogger(NetworkCollector.class);
    /** A burst of removals is one run. */
    private static final Duration PAUSE = Duration.ofSeconds(1);

    private final Sandboxes sandboxes;
    private final Cni cni;
    private final AtomicInteger asked = new AtomicInteger();

    NetworkCollector(Sandboxes sandboxes, Cni cni) {
        this.sandboxes = sandboxes;
        this.cni = cni;
    }

    /** Asks for a run; returns at once. */
    void soon() {
        if (asked.getAndIncrement() == 0) {
            Thread.startVirtualThread(this::run);
        }
    }

    private void run() {
        try {
            int answered;
            do {
                Thread.sleep(PAUSE);
                answered = asked.get();
                cni.collect(this::attached);
            } while (asked.addAndGet(-answered) > 0);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (RuntimeException e) {
            asked.set(0);
            log.atWarn().setCause(e).log("could not have the pod network drop what is left of old pods");
        }
    }

    /** Ids of all sandboxes whose attachment may be there, those in the making among them. */
    private Set<String> attached() {
        return sandboxes.every().stream()
                .filter(sandbox -> sandbox.record().phase() == SandboxPhase.CREATING
                        || sandbox.record().network().isPresent())
                .map(Sandbox::id).collect(Collectors.toUnmodifiableSet());
    }
}
