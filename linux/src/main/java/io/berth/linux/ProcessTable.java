package io.berth.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * The node's processes as {@code /proc} shows them. Looking takes a few milliseconds for some hundred processes: this is for
 * what is seldom, such as ending what an earlier daemon has left.
 */
public final class ProcessTable {
    private static final Path PROC = Path.of("/proc");
    private static final int SIGKILL = 9;
    private static final int SIGSTOP = 19;
    /** A process that SIGKILL has not ended by then sleeps uninterruptibly; waiting longer helps nobody. */
    private static final Duration KILL_LIMIT = Duration.ofSeconds(2);
    private static final Duration PAUSE = Duration.ofMillis(2);

    private ProcessTable() {}

    /** Processes whose arguments (the program's name is the first) are as wanted. */
    public static List<Long> withArguments(Predicate<List<String>> wanted) throws IOException {
        return matching("cmdline", wanted);
    }

    /** Processes whose environment, as it was when they began, is as wanted: a list of {@code NAME=VALUE}. */
    public static List<Long> withEnvironment(Predicate<List<String>> wanted) throws IOException {
        return matching("environ", wanted);
    }

    /**
     * Ends a process and all that it has started, and that has not become somebody else's child since. All are stopped before
     * the first is ended: they start nothing more meanwhile, and nobody's end hands a child over to another parent, where
     * it would not be found. Returns when they have ended, or after two seconds.
     */
    public static void killTree(PidFd root) throws IOException {
        if (!root.signal(SIGSTOP)) {
            return;
        }
        long end = System.nanoTime() + KILL_LIMIT.toNanos();
        Map<Long, PidFd> descendants = new HashMap<>();
        try {
            while (stopDescendants(root.pid(), descendants) && System.nanoTime() < end) {
                pause();
            }
            for (PidFd descendant : descendants.values()) {
                descendant.signal(SIGKILL);
            }
            root.signal(SIGKILL);
            for (PidFd descendant : descendants.values()) {
                descendant.awaitExit(Duration.ofNanos(Math.max(0, end - System.nanoTime())));
            }
            root.awaitExit(KILL_LIMIT);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            descendants.values().forEach(PidFd::close);
        }
    }

    /** Whether {@code pid} is a child of {@code parent} now. */
    public static boolean isChild(long pid, long parent) {
        return stat(pid).filter(stat -> stat.parent() == parent).isPresent();
    }

    /** Whether {@code pid} is a process with {@code argument} among its arguments now. */
    public static boolean hasArgument(long pid, String argument) {
        return read(pid, "cmdline").filter(text -> List.of(text.split("\0")).contains(argument)).isPresent();
    }

    /** Adds those that are not in {@code stopped} yet; true where there were any. */
    private static boolean stopDescendants(long root, Map<Long, PidFd> stopped) throws IOException {
        Map<Long, Long> parents = livingWithParents();
        boolean any = false;
        for (Map.Entry<Long, Long> process : parents.entrySet()) {
            long pid = process.getKey();
            if (!stopped.containsKey(pid) && descends(pid, root, parents)) {
                any = true;
                stop(pid, process.getValue(), stopped);
            }
        }
        return any;
    }

    private static boolean descends(long pid, long root, Map<Long, Long> parents) {
        Set<Long> seen = new HashSet<>();
        Long parent = parents.get(pid);
        while (parent != null && parent != root && seen.add(parent)) {
            parent = parents.get(parent);
        }
        return parent != null && parent == root;
    }

    /** Stops {@code pid} where it still is a child of {@code parent}, and not a later process with its number. */
    private static void stop(long pid, long parent, Map<Long, PidFd> stopped) throws IOException {
        PidFd process;
        try {
            process = PidFd.open(pid);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ESRCH) {
                return;
            }
            throw e;
        }
        if (isChild(pid, parent) && process.signal(SIGSTOP)) {
            stopped.put(pid, process);
        } else {
            process.close();
        }
    }

    private static Map<Long, Long> livingWithParents() throws IOException {
        Map<Long, Long> parents = new HashMap<>();
        for (long pid : pids()) {
            // A zombie's children are somebody else's already, but it may be between two that live.
            stat(pid).filter(stat -> !stat.ended()).ifPresent(stat -> parents.put(pid, stat.parent()));
        }
        return parents;
    }

    private record Stat(boolean ended, long parent) {}

    private static Optional<Stat> stat(long pid) {
        return read(pid, "stat").map(stat -> {
            // The command's name is in brackets and may hold brackets and spaces itself.
            String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ");
            return new Stat(fields[0].equals("Z") || fields[0].equals("X"), Long.parseLong(fields[1]));
        });
    }

    private static List<Long> matching(String file, Predicate<List<String>> wanted) throws IOException {
        List<Long> found = new ArrayList<>();
        for (long pid : pids()) {
            Optional<String> content = read(pid, file);
            if (content.isPresent() && wanted.test(List.of(content.get().split("\0")))) {
                found.add(pid);
            }
        }
        return found;
    }

    private static List<Long> pids() throws IOException {
        List<Long> pids = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(PROC, "[1-9]*")) {
            for (Path entry : entries) {
                pids.add(Long.parseLong(entry.getFileName().toString()));
            }
        }
        return pids;
    }

    /** Empty where the process has ended, or shows this to nobody. */
    private static Optional<String> read(long pid, String file) {
        try {
            return Optional.of(Files.readString(PROC.resolve(Long.toString(pid)).resolve(file),
                    StandardCharsets.ISO_8859_1)).filter(text -> !text.isEmpty());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static void pause() {
        try {
            Thread.sleep(PAUSE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
