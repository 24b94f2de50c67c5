package io.berth.linux;

import com.sun.jna.Native;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * New namespaces, and work inside of others, without a process: on a platform thread made for it, since a namespace belongs to a
 * thread.
 *
 * <p>
 * A thread that is started takes on its starter's namespaces. So a body that runs inside must not start threads, nor wake virtual
 * threads (which may start a carrier), nor start processes through {@link ProcessBuilder} (which keeps a reaper thread). Logging
 * and locks belong outside. The thread goes back to where it came from before it hands over its result, because handing
 * over wakes the caller.
 */
public final class Namespaces {
    private static final int O_RDONLY_CLOEXEC = 0x80000;
    private static final Path OWN = Path.of("/proc/thread-self/ns");

    static {
        Native.register(Namespaces.class, "c");
    }

    private Namespaces() {}

    /** What runs inside new namespaces. */
    @FunctionalInterface
    public interface InNamespace {
        /** Sets the namespaces up; see {@link Namespaces} for what it must not do. */
        void run() throws IOException;
    }

    /**
     * Makes new namespaces, runs {@code body} inside of them, and keeps them alive by binding each to its file, which must exist
     * and be empty of mounts. After a failure none of them is left bound.
     *
     * @param pins a file for each kind of namespace; not USER, which a process with threads may not make, nor PID, MOUNT
     */
    public static void pin(Map<NamespaceType, Path> pins, InNamespace body) throws IOException {
        int flags = 0;
        for (NamespaceType type : pins.keySet()) {
            if (type == NamespaceType.USER || type == NamespaceType.PID || type == NamespaceType.MOUNT) {
                throw new IllegalArgumentException(
                        "a thread cannot make and pin a namespace of type " + type.file());
            }
            flags |= type.flag();
        }
        int wanted = flags;
        onOwnThread(pins.keySet(), () -> {
            if (unshare(wanted) != 0) {
                throw SystemCalls.failure("unshare", pins.keySet());
            }
            body.run();
            bindAll(pins);
            return true;
        });
    }

    /**
     * Runs {@code body} in the namespaces that {@code files} are, and gives back what it returns or throws what it throws.
     * The calling thread and all others stay where they are.
     *
     * @param files namespace files by their kind: pins or {@code /proc/PID/ns/X}; not USER or MOUNT, which a process with threads
     *        cannot enter
     */
    public static <T> T callIn(Map<NamespaceType, Path> files, Callable<T> body) throws IOException {
        return onOwnThread(files.keySet(), () -> {
            for (Map.Entry<NamespaceType, Path> entry : files.entrySet()) {
                try (Fd fd = open(entry.getValue())) {
                    enter(fd, entry.getKey(), entry.getValue());
                }
            }
            return body.call();
        });
    }

    /** Sets the hostname of the calling thread's UTS namespace. */
    public static void setHostname(String name) throws LinuxException {
        byte[] bytes = SystemCalls.cString(name);
        if (sethostname(bytes, bytes.length - 1) != 0) {
            throw SystemCalls.failure("sethostname", name);
        }
    }

    /** The inode that identifies a namespace, of its file; the same for each file of one namespace. */
    public static long inode(Path namespace) throws IOException {
        return ((Number) Files.getAttribute(namespace, "unix:ino")).longValue();
    }

    private static void bindAll(Map<NamespaceType, Path> pins) throws IOException {
        List<Path> bound = new ArrayList<>();
        try {
            for (Map.Entry<NamespaceType, Path> pin : pins.entrySet()) {
                Mounts.bind(OWN.resolve(pin.getKey().file()), pin.getValue(), false);
                bound.add(pin.getValue());
            }
        } catch (IOException e) {
            for (Path pin : bound) {
                try {
                    Mounts.unmount(pin, true);
                } catch (IOException unmount) {
                    e.addSuppressed(unmount);
                }
            }
            throw e;
        }
    }

    private static <T> T onOwnThread(Collection<NamespaceType> types, Callable<T> body) throws IOException {
        return onPlatformThread("namespace", () -> {
            Map<NamespaceType, Fd> home = new LinkedHashMap<>();
            try {
                for (NamespaceType type : types) {
                    home.put(type, open(OWN.resolve(type.file())));
                }
                return body.call();
            } finally {
                goHome(home);
            }
        });
    }

    /** Runs {@code body} on a thread of its own that no virtual thread shares, and waits for it, interrupted or not. */
    static <T> T onPlatformThread(String name, Callable<T> body) throws IOException {
        FutureTask<T> task = new FutureTask<>(body);
        Thread.ofPlatform().name(name).daemon().start(task);
        return result(task);
    }

    private static void goHome(Map<NamespaceType, Fd> home) throws IOException {
        for (Map.Entry<NamespaceType, Fd> entry : home.entrySet()) {
            try (Fd fd = entry.getValue()) {
                enter(fd, entry.getKey(), OWN.resolve(entry.getKey().file()));
            }
        }
    }

    private static <T> T result(FutureTask<T> task) throws IOException {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return task.get();
                } catch (InterruptedException e) {
                    // What has begun in the kernel is brought to its end; the interrupt is kept for the caller.
                    interrupted = true;
                } catch (ExecutionException e) {
                    throw carriedOver(e.getCause() == null ? e : e.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    static IOException carriedOver(Throwable cause) {
        return switch (cause) {
            case IOException e -> e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> new IOException(cause);
        };
    }

    private static Fd open(Path namespace) throws LinuxException {
        int fd = open(SystemCalls.cString(namespace), O_RDONLY_CLOEXEC);
        if (fd < 0) {
            throw SystemCalls.failure("open", namespace);
        }
        return new Fd(fd);
    }

    private static void enter(Fd fd, NamespaceType type, Path file) throws LinuxException {
        if (setns(fd.number(), type.flag()) != 0) {
            throw SystemCalls.failure("setns", file);
        }
    }

    private static native int unshare(int flags);

    private static native int setns(int fd, int type);

    private static native int sethostname(byte[] name, long length);

    private static native int open(byte[] path, int flags);
}
