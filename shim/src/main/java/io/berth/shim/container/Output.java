package io.berth.shim.container;

import io.berth.shim.libc.EventLoop;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Pages;
import io.berth.shim.libc.Source;
import io.berth.shim.log.LineFramer;
import io.berth.shim.wire.Wire;
import org.teavm.interop.Address;

/** The container's stdout or stderr: into the log and to everybody attached. */
final class Output extends Source {
    private static final int READS_PER_TURN = 8;

    private final Supervisor supervisor;
    private final EventLoop loop;
    private final LineFramer framer;
    private final boolean stderr;
    private final boolean discards;

    Output(Supervisor supervisor, EventLoop loop, LineFramer framer, boolean stderr, boolean discards) {
        this.supervisor = supervisor;
        this.loop = loop;
        this.framer = framer;
        this.stderr = stderr;
        this.discards = discards;
    }

    @Override
    public void ready(int events) {
        for (int i = 0; i < READS_PER_TURN && isOpen() && supervisor.pace().allows(); i++) {
            if (!pump()) {
                return;
            }
        }
    }

    /** Takes what is there, at most {@code reads} buffers of it. A process that holds the other end cannot make this wait. */
    void drain(int reads) {
        for (int i = 0; i < reads && isOpen(); i++) {
            if (!pump()) {
                return;
            }
        }
    }

    /** Takes one buffer; false where no more is there now. */
    private boolean pump() {
        byte[] buffer = framer.buffer();
        int offset = framer.writeOffset();
        int n = Libc.read(fd(), Address.ofData(buffer).add(offset), buffer.length - offset);
        if (n > 0) {
            supervisor.output(stderr ? Wire.STDERR : Wire.STDOUT, buffer, offset, n);
            if (!discards) {
                framer.accept(n, supervisor.now());
            }
            return n == buffer.length - offset;
        }
        if (n < 0 && Libc.errno() == Libc.EAGAIN) {
            return false;
        }
        if (n == 0 || Libc.errno() != Libc.EINTR) {
            finish();
            close(loop);
        }
        return true;
    }

    /** Logs what is there of an unfinished line. */
    void finish() {
        framer.finish(supervisor.now());
    }

    /** Gives back the buffer's memory, unless it holds an unfinished line. */
    void coolDown() {
        if (framer.kept() == 0) {
            Pages.release(framer.buffer());
        }
    }

    /**
     * Begins to watch.
     *
     * @param forget what was written so far: the OCI runtime's own words, before the container's program runs
     */
    void begin(boolean forget) {
        while (forget && isOpen()
                && Libc.read(fd(), Address.ofData(framer.buffer()), framer.buffer().length) > 0) {
            // The runtime has ended, so this does, too.
        }
        if (isOpen()) {
            loop.watch(this, Libc.EPOLLIN);
        }
    }
}
