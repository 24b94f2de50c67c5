package io.berth.shim.container;

import io.berth.shim.libc.EventLoop;
import io.berth.shim.libc.Files;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Source;
import io.berth.shim.libc.Text;
import io.berth.shim.wire.Wire;

/**
 * Counts the kernel's OOM kills in the container's cgroup. The file is opened when the container is created, because at its
 * end its process is in no cgroup any more. On version 2 it is read whenever it changes, too: systemd removes a scope with
 * the last process in it, and what the file said then is gone.
 */
final class OomCounter extends Source {
    private static final String WORD = "\noom_kill ";

    private final EventLoop loop;
    private final Text content = new Text(512);
    private int before;
    private int last;

    OomCounter(EventLoop loop) {
        this.loop = loop;
    }

    void open(int pid) {
        Text cgroups = new Text(4096);
        if (Files.read(new Text(32).add("/proc/").addNumber(pid).add("/cgroup"), cgroups) < 0) {
            return;
        }
        Text file = new Text(4096);
        byte[] text = cgroups.array();
        int line = 0;
        while (line < cgroups.length() && !isOpen()) {
            int end = line;
            while (end < cgroups.length() && text[end] != '\n') {
                end++;
            }
            if (CgroupLine.counterFile(text, line, end, file.clear())) {
                own(Libc.open(file.address(), Libc.O_RDONLY | Libc.O_CLOEXEC, 0));
            }
            line = end + 1;
        }
        if (isOpen() && read()) {
            before = last;
            // A file of version 1 tells of its end only.
            loop.watch(this, Libc.EPOLLPRI);
        }
    }

    boolean increased() {
        if (isOpen()) {
            read();
        }
        return last > before;
    }

    @Override
    public void ready(int events) {
        if (!read()) {
            // The cgroup is gone, and would be reported for ever.
            close(loop);
        }
    }

    private boolean read() {
        content.clear().addFile(fd(), 0);
        int at = Wire.indexOf(content.array(), 0, content.length(), WORD);
        if (at >= 0) {
            last = Wire.decimal(content.array(), at + WORD.length(), content.length());
        }
        return at >= 0;
    }

    /** A line of {@code /proc/PID/cgroup}: {@code hierarchy:controllers:path}. */
    static final class CgroupLine {
        private CgroupLine() {}

        /** Appends the file with the count of OOM kills, where this line's hierarchy has one. */
        static boolean counterFile(byte[] text, int from, int to, Text file) {
            int controllers = after(text, from, to);
            int path = after(text, controllers, to);
            if (path >= to) {
                return false;
            }
            boolean unified = path - controllers == 1;
            if (!unified && !hasMemory(text, controllers, path - 1)) {
                return false;
            }
            file.add(unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory").add(text, path, to - path);
            file.add(unified ? "/memory.events" : "/memory.oom_control");
            return !file.overflow();
        }

        private static int after(byte[] text, int from, int to) {
            int i = from;
            while (i < to && text[i] != ':') {
                i++;
            }
            return Math.min(i + 1, to);
        }

        private static boolean hasMemory(byte[] text, int from, int to) {
            int at = Wire.indexOf(text, from, to, "memory");
            return at >= 0 && (at == from || text[at - 1] == ',') && (at + 6 == to || text[at + 6] == ',');
        }
    }
}
