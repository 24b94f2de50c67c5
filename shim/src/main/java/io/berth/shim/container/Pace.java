package io.berth.shim.container;

import io.berth.shim.libc.EventLoop;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Source;
import io.berth.shim.wire.Wire;
import org.teavm.interop.Address;

/**
 * Lets attached clients keep up. While one has not taken what was sent, the container's output waits in its pipes; a client
 * that has not caught up in {@value #HOLD_MILLIS} ms is dropped, so nobody can hold a container for longer.
 */
final class Pace {
    private static final int HOLD_MILLIS = 2_000;
    private static final long NANOS_PER_MILLI = 1_000_000;
    private static final long NANOS_PER_SECOND = 1_000_000_000;

    private final Clients clients;
    private final EventLoop loop;
    private final byte[] clock = new byte[16];
    private Source[] outputs = {};
    private boolean holding;
    private long untilNanos;

    Pace(Clients clients, EventLoop loop) {
        this.clients = clients;
        this.loop = loop;
    }

    /** Says what is held. */
    void of(Source stdout, Source stderr) {
        outputs = new Source[]{stdout, stderr};
    }

    /** Whether output may be taken from the container now. If not, it is not watched until {@link #check} lets it go. */
    boolean allows() {
        if (holding || !clients.anyLags()) {
            return !holding;
        }
        holding = true;
        untilNanos = monotonicNanos() + HOLD_MILLIS * NANOS_PER_MILLI;
        watch(0);
        return false;
    }

    /** To be called after each turn of the loop. */
    void check() {
        if (!holding) {
            return;
        }
        if (clients.anyLags()) {
            if (monotonicNanos() < untilNanos) {
                return;
            }
            clients.dropThoseWhoLag();
        }
        holding = false;
        watch(Libc.EPOLLIN);
    }

    boolean isHolding() { return holding; }

    /** Until the next {@link #check} is due, while something is held. */
    int patienceMillis() {
        return (int) Math.max(1, (untilNanos - monotonicNanos()) / NANOS_PER_MILLI + 1);
    }

    private void watch(int interest) {
        for (int i = 0; i < outputs.length; i++) {
            if (outputs[i].isOpen()) {
                loop.watch(outputs[i], interest);
            }
        }
    }

    private long monotonicNanos() {
        Libc.clockGettime(Libc.CLOCK_MONOTONIC, Address.ofData(clock));
        return Wire.longLittle(clock, 0) * NANOS_PER_SECOND + Wire.longLittle(clock, 8);
    }
}
