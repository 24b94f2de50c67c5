package io.berth.shim.libc;

import io.berth.shim.wire.Wire;
import org.jspecify.annotations.Nullable;
import org.teavm.interop.Address;

/** One epoll instance. An event for a source that was removed in the same batch is discarded by its slot's generation. */
public final class EventLoop {
    private static final int BATCH = 32;

    private final @Nullable Source[] sources;
    private final int[] generations;
    private final int eventSize = Libc.sizeOfEpollEvent();
    private final int dataOffset = eventSize - 8;
    private final byte[] events = new byte[BATCH * eventSize];
    private final byte[] event = new byte[eventSize];
    private final int epoll = Libc.epollCreate1(Libc.O_CLOEXEC);

    public EventLoop(int capacity) {
        sources = new Source[capacity];
        generations = new int[capacity];
    }

    /**
     * Watches {@code source} for {@code interest}; 0 takes it out of epoll, because a hang-up is reported even to those
     * who want nothing, and would spin. False where the table is full or the kernel refuses.
     */
    public boolean watch(Source source, int interest) {
        if (source.slot < 0 && !assignSlot(source)) {
            return false;
        }
        if (source.interest == interest) {
            return true;
        }
        int operation = source.interest == 0
                ? Libc.EPOLL_CTL_ADD
                : interest == 0 ? Libc.EPOLL_CTL_DEL : Libc.EPOLL_CTL_MOD;
        Wire.putIntLittle(event, 0, interest);
        Wire.putIntLittle(event, dataOffset, source.slot);
        Wire.putIntLittle(event, dataOffset + 4, generations[source.slot]);
        if (Libc.epollCtl(epoll, operation, source.fd(), Address.ofData(event)) < 0) {
            return false;
        }
        source.interest = interest;
        return true;
    }

    private boolean assignSlot(Source source) {
        for (int i = 0; i < sources.length; i++) {
            if (sources[i] == null) {
                sources[i] = source;
                source.slot = i;
                source.interest = 0;
                return true;
            }
        }
        return false;
    }

    public void remove(Source source) {
        if (source.slot < 0) {
            return;
        }
        watch(source, 0);
        sources[source.slot] = null;
        generations[source.slot]++;
        source.slot = -1;
    }

    /** Waits for events and hands them out once; false where the time passed without any. */
    public boolean turn(int timeoutMillis) {
        int count = Libc.epollWait(epoll, Address.ofData(events), BATCH, timeoutMillis);
        for (int i = 0; i < count; i++) {
            int at = i * eventSize;
            int slot = Wire.intLittle(events, at + dataOffset);
            int generation = Wire.intLittle(events, at + dataOffset + 4);
            if (slot < 0 || slot >= sources.length || generations[slot] != generation) {
                continue;
            }
            Source source = sources[slot];
            if (source != null) {
                source.ready(Wire.intLittle(events, at));
            }
        }
        return count != 0;
    }
}
