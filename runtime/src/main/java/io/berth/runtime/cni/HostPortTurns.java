package io.berth.runtime.cni;

import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Has plugins open host ports one after the other. portmap makes the chains that all pods share where it finds none, and fails
 * where another of its kind has been faster ("CHAIN_USER_ADD failed (File exists)"): the lock that iptables once had is gone with
 * nftables. So pods that are started together on a fresh node would fail by chance.
 */
final class HostPortTurns {
    /** A plugin that hangs holds up the others for no longer. */
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private final Semaphore turn = new Semaphore(1, true);

    /** Does {@code work}, which is given what is left of {@code deadline}, in its turn, or after some seconds without one. */
    <T> T take(Duration deadline, Function<Duration, T> work) {
        long end = System.nanoTime() + deadline.toNanos();
        boolean mine = await(deadline.compareTo(PATIENCE) < 0 ? deadline : PATIENCE);
        try {
            return work.apply(Duration.ofNanos(end - System.nanoTime()));
        } finally {
            if (mine) {
                turn.release();
            }
        }
    }

    private boolean await(Duration most) {
        try {
            return turn.tryAcquire(most.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }
}
