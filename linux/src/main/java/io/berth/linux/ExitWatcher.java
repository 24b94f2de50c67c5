package io.berth.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One thread that waits for the end of any number of processes. A native wait would hold a virtual thread's carrier, of which there
 * are as many as processors.
 */
final class ExitWatcher {
    private static final int EPOLL_CLOEXEC = 0x80000;
    private static final int EPOLL_CTL_ADD = 1;
    private static final int EPOLL_CTL_DEL = 2;
    private static final int EPOLLIN_ONESHOT = 1 | 1 << 30;
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int BATCH = 64;
    // struct epoll_event is packed on x86-64 and nowhere else.
    private static final boolean PACKED = System.getProperty("os.arch", "").equals("amd64");
    private static final int EVENT_SIZE = PACKED ? 12 : 16;
    private static final int EVENT_DATA = PACKED ? 4 : 8;

    static {
        Native.register(ExitWatcher.class, "c");
    }

    private final Fd epoll;
    private final AtomicLong keys = new AtomicLong();
    private final Map<Long, Watch> watches = new ConcurrentHashMap<>();

    private record Watch(Fd fd, CompletableFuture<Void> exit) {}

    private static final class Holder {
        private static final ExitWatcher INSTANCE = new ExitWatcher();
    }

    private ExitWatcher() {
        int fd = epoll_create1(EPOLL_CLOEXEC);
        if (fd < 0) {
            throw new IllegalStateException(SystemCalls.failure("epoll_create1", null));
        }
        epoll = new Fd(fd);
        Thread.ofPlatform().daemon().name("exit-watcher").start(this::run);
    }

    static ExitWatcher instance() {
        return Holder.INSTANCE;
    }

    /** Completes when the process of {@code pidFd} ends; cancelling stops the watch. The caller may close its descriptor. */
    CompletableFuture<Void> watch(int pidFd, long pid) throws LinuxException {
        int copy = fcntl(pidFd, F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            throw SystemCalls.failure("fcntl F_DUPFD_CLOEXEC", "pidfd of " + pid);
        }
        long key = keys.incrementAndGet();
        Watch watch = new Watch(new Fd(copy), new CompletableFuture<>());
        watches.put(key, watch);
        try (Memory event = new Memory(EVENT_SIZE)) {
            event.setInt(0, EPOLLIN_ONESHOT);
            event.setLong(EVENT_DATA, key);
            if (epoll_ctl(epoll.number(), EPOLL_CTL_ADD, copy, event) != 0) {
                LinuxException e = SystemCalls.failure("epoll_ctl", "pidfd of " + pid);
                forget(key);
                throw e;
            }
        }
        var _ = watch.exit.whenComplete((done, failure) -> forget(key));
        return watch.exit;
    }

    private void forget(long key) {
        Watch watch = watches.remove(key);
        if (watch != null) {
            try (Fd fd = watch.fd; Memory unused = new Memory(EVENT_SIZE)) {
                // The kernel drops it only with the last copy of the descriptor, and the caller holds one.
                epoll_ctl(epoll.number(), EPOLL_CTL_DEL, fd.number(), unused);
            }
        }
    }

    private void run() {
        try (Memory events = new Memory((long) EVENT_SIZE * BATCH)) {
            while (true) {
                int count = epoll_wait(epoll.number(), events, BATCH, -1);
                for (int i = 0; i < count; i++) {
                    Watch watch = watches.get(events.getLong((long) i * EVENT_SIZE + EVENT_DATA));
                    if (watch != null) {
                        watch.exit.complete(null);
                    }
                }
            }
        }
    }

    private static native int epoll_create1(int flags);

    private static native int epoll_ctl(int epoll, int operation, int fd, Memory event);

    private static native int epoll_wait(int epoll, Memory events, int count, int timeoutMillis);

    private static native int fcntl(int fd, int command, int argument);
}
