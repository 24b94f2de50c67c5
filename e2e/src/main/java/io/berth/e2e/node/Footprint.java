package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What a daemon takes of the node at one moment.
 *
 * @param heapKib live objects, right after a full collection; 0 where it is no JVM
 * @param pssKib resident memory, a page that n processes share counted as its nth part
 * @param peakKib the largest resident memory since {@link #forgetPeak}
 * @param descriptors open files
 * @param threads of the kernel
 * @param virtualThreads that wait or run; 0 where it is no JVM
 * @param processes its children
 * @param mounts of the mount namespace
 * @param cpuMillis processor time since its start
 */
public record Footprint(long heapKib, long pssKib, long peakKib, int descriptors, int threads,
        int virtualThreads, int processes, int mounts, long cpuMillis) {
    private static final Pattern USED = Pattern.compile("(?:total|used) (\\d+)K, used (\\d+)K");
    private static final Pattern VIRTUAL = Pattern.compile("\"virtual\": true");
    private static final long TICK_MILLIS = 10;

    /** The process as it is now. Has a JVM collect its garbage first. */
    public static Footprint of(long pid) {
        boolean jvm = isJvm(pid);
        return new Footprint(jvm ? heapKib(pid) : 0, kib(pid, "smaps_rollup", "Pss"), peakKib(pid),
                children(Path.of("/proc/" + pid + "/fd")), children(Path.of("/proc/" + pid + "/task")),
                jvm ? virtualThreads(pid) : 0, (int) ProcessHandle.of(pid).orElseThrow().children().count(),
                lines("/proc/" + pid + "/mounts").length, cpuMillis(pid));
    }

    /** Whether the process has a Java heap. */
    public static boolean isJvm(long pid) {
        return read("/proc/" + pid + "/comm").strip().equals("java");
    }

    /** Processor time of a process since its start, in user and kernel mode. */
    public static long cpuMillis(long pid) {
        // The name in the second field may hold blanks and parentheses.
        String stat = read("/proc/" + pid + "/stat");
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) * TICK_MILLIS;
    }

    /** Lets the peak of a process' resident memory begin anew. */
    public static void forgetPeak(long pid) {
        try {
            Files.writeString(Path.of("/proc/" + pid + "/clear_refs"), "5");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The largest resident memory of a process since its start, or since {@link #forgetPeak}. */
    public static long peakKib(long pid) {
        return kib(pid, "status", "VmHWM");
    }

    /** Open files of a process, without those of a collection or a thread dump. */
    public static int descriptors(long pid) {
        return children(Path.of("/proc/" + pid + "/fd"));
    }

    private static long heapKib(long pid) {
        jcmd(pid, "GC.run");
        Matcher used = USED.matcher(jcmd(pid, "GC.heap_info"));
        long heapKib = 0;
        while (used.find()) {
            heapKib += Long.parseLong(used.group(2));
        }
        return heapKib;
    }

    private static int virtualThreads(long pid) {
        try {
            Path dump = Files.createTempDirectory(Node.workspace(), "t").resolve("threads.json");
            jcmd(pid, "Thread.dump_to_file", "-format=json", dump.toString());
            int count = (int) VIRTUAL.matcher(Files.readString(dump)).results().count();
            Files.delete(dump);
            Files.delete(dump.getParent());
            return count;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String jcmd(long pid, String... command) {
        String[] all = new String[command.length + 2];
        all[0] = Path.of(System.getProperty("java.home"), "bin/jcmd").toString();
        all[1] = Long.toString(pid);
        System.arraycopy(command, 0, all, 2, command.length);
        return Command.output(all);
    }

    private static long kib(long pid, String file, String key) {
        return Stream.of(lines("/proc/" + pid + "/" + file)).filter(line -> line.startsWith(key + ":"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", ""))).findFirst().orElseThrow();
    }

    private static int children(Path directory) {
        try (Stream<Path> entries = Files.list(directory)) {
            return (int) entries.count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String[] lines(String file) {
        return read(file).split("\n");
    }

    private static String read(String file) {
        try {
            return Files.readString(Path.of(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
