package io.berth.shim.container;

import io.berth.shim.libc.EventLoop;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Source;
import org.teavm.interop.Address;

/** The write end of a process's stdin. */
final class Stdin extends Source {
    private final Supervisor supervisor;
    private final EventLoop loop;
    private boolean terminal;

    Stdin(Supervisor supervisor, EventLoop loop) {
        this.supervisor = supervisor;
        this.loop = loop;
    }

    void open(int fd, boolean isTerminal) {
        own(fd);
        terminal = isTerminal;
    }

    /** Writes what the process takes now; less than {@code count} means that a retry is announced. Closed stdin takes everything. */
    int write(byte[] bytes, int offset, int count) {
        int done = 0;
        while (isOpen() && done < count) {
            int n = Libc.write(fd(), Address.ofData(bytes).add(offset + done), count - done);
            if (n > 0) {
                done += n;
            } else if (Libc.errno() == Libc.EAGAIN) {
                loop.watch(this, Libc.EPOLLOUT);
                return done;
            } else if (Libc.errno() != Libc.EINTR) {
                close(loop);
            }
        }
        return count;
    }

    /** Gives the process an end of file. A terminal has none of its own: it stays open as long as its output. */
    void end() {
        if (!terminal) {
            close(loop);
        }
    }

    @Override
    public void ready(int events) {
        if ((events & (Libc.EPOLLERR | Libc.EPOLLHUP)) != 0) {
            close(loop);
        } else {
            loop.watch(this, 0);
        }
        supervisor.stdinReady(this);
    }
}
