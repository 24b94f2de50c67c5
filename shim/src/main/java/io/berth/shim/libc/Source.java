package io.berth.shim.libc;

/** A descriptor that the {@link EventLoop} watches. */
public abstract class Source {
    int slot = -1;
    int interest;
    private int fd = -1;

    /** Called with the epoll events that are ready. Errors and hang-up come whether asked for or not. */
    public abstract void ready(int events);

    public int fd() {
        return fd;
    }

    public boolean isOpen() { return fd >= 0; }

    /** Takes over {@code fd}. */
    public void own(int newFd) {
        fd = newFd;
    }

    /** Ends the watch and closes the descriptor. */
    public void close(EventLoop loop) {
        if (fd >= 0) {
            loop.remove(this);
            Libc.close(fd);
            fd = -1;
        }
    }
}
