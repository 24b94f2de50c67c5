package io.berth.e2e.node;

import io.berth.e2e.cri.Await;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What is on the node that a runtime makes: processes, mounts, interfaces, network namespaces, cgroups, sockets, address
 * leases, NAT rules, directories. Taken before and after, the difference is what was left behind. To be used in
 * namespaces of the run's own, where nobody else makes such things.
 */
public final class Leftovers {
    private static final Duration SETTLING_TIME = Duration.ofSeconds(20);

    /**
     * A parent that kubelet makes before it asks for the pod, and takes away itself; with the systemd driver also the slice of
     * all pods without a parent, which systemd keeps as it keeps every slice.
     */
    private static final Pattern KEPT_CGROUP = Pattern.compile(
            "/(kubepods(/burstable(/pod[^/]+)?)?|berth\\.slice"
                    + "|kubepods\\.slice(/kubepods-burstable\\.slice(/kubepods-burstable-pod[^/]+\\.slice)?)?)$");

    /** In the flags of {@code /proc/PID/stat}: a thread of the kernel. */
    private static final long PF_KTHREAD = 0x0020_0000;

    private final CniNetwork network;
    private final List<Path> directories;
    private final Set<String> before;

    /**
     * Notes what there is now.
     *
     * @param directories whose children count, each one
     */
    public Leftovers(CniNetwork network, List<Path> directories) {
        this.network = network;
        this.directories = List.copyOf(directories);
        this.before = now();
    }

    /** Everything there is now and was not then. Gives what is just ending a moment to be gone. */
    public Set<String> since() {
        try {
            Await.until("nothing is left", SETTLING_TIME, this::difference, Set::isEmpty);
        } catch (AssertionError e) {
            return difference();
        }
        return Set.of();
    }

    private Set<String> difference() {
        Set<String> after = now();
        after.removeAll(before);
        return after;
    }

    private Set<String> now() {
        var all = new TreeSet<String>();
        try {
            addProcesses(all);
            Files.readAllLines(Path.of("/proc/self/mounts")).forEach(line -> all.add("mount " + line));
            Command.output("ip", "-o", "link").lines().map(line -> line.split(": ")[1])
                    .filter(name -> !name.startsWith(CniNetwork.BRIDGE))
                    .forEach(name -> all.add("interface " + name));
            addChildren(all, "network namespace", Path.of("/run/netns"));
            Cgroups.all().stream().map(path -> "cgroup " + path)
                    .filter(name -> !KEPT_CGROUP.matcher(name).find()).forEach(all::add);
            addSockets(all);
            addChildren(all, "lease", network.leases());
            addChildren(all, "state of a network plugin", Path.of("/var/lib/cni"));
            all.removeIf(entry -> entry.endsWith("/lock") || entry.contains("/last_reserved_ip"));
            Command.output("iptables-save", "-t", "nat").lines()
                    .filter(line -> line.startsWith("-A") && line.contains("id: \""))
                    .forEach(line -> all.add("rule " + line));
            for (Path directory : directories) {
                addChildren(all, "directory", directory);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return all;
    }

    private static void addProcesses(Set<String> all) {
        ProcessHandle.allProcesses()
                .filter(process -> !isServer(process) && !isShortLived(process) && !isKernelThread(process))
                .forEach(process -> all.add("process " + process.pid() + " "
                        + process.info().commandLine().orElse(process.info().command().orElse("?"))));
    }

    /** The daemons and registries are the harness' own (or its systemd's), and end with it. */
    private static boolean isServer(ProcessHandle process) {
        String command = process.info().command().orElse("");
        return command.endsWith("/java") || command.endsWith("/containerd")
                || command.endsWith("/docker-registry");
    }

    /** A process that the harness itself started a moment ago, as ip. */
    private static boolean isShortLived(ProcessHandle process) {
        return process.parent().map(parent -> parent.equals(ProcessHandle.current())).orElse(false)
                && !isServer(process);
    }

    private static boolean isKernelThread(ProcessHandle process) {
        try {
            String stat = Files.readString(Path.of("/proc/" + process.pid() + "/stat"));
            // After the name, which may have blanks: state, ppid, pgrp, session, tty, tpgid, flags.
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            return (Long.parseLong(fields[6]) & PF_KTHREAD) != 0;
        } catch (IOException e) {
            return false;
        }
    }

    private static void addSockets(Set<String> all) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/net/unix"))) {
            int path = line.indexOf('/');
            // What jcmd talks to a JVM by goes with that JVM.
            if (path >= 0 && !line.startsWith("/tmp/.java_pid", path)) {
                all.add("socket " + line.substring(path));
            }
        }
    }

    private static void addChildren(Set<String> all, String kind, Path directory) throws IOException {
        if (Files.isDirectory(directory)) {
            try (Stream<Path> children = Files.list(directory)) {
                children.forEach(child -> all.add(kind + " " + child));
            }
        }
    }
}
