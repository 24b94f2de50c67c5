package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;

/**
 * What a restart of the node does to Berth, done to this node's namespaces: every process of a pod ends with nobody there to
 * see it; mounts, namespaces, cgroups, interfaces and rules are gone; the kernel names another boot. The daemon must be dead.
 */
public final class PowerCut {
    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

    private PowerCut() {}

    /**
     * Cuts the power.
     *
     * @param state the daemon's state directory; its mounts go, its files stay until {@link #loseFiles}
     */
    public static void cut(Path state) {
        // The supervisors first: they must not see their containers end.
        ProcessHandle.allProcesses()
                .filter(process -> process.info().command().orElse("").endsWith("/berth-shim"))
                .toList().forEach(PowerCut::end);
        podCgroups().forEach(PowerCut::endProcesses);
        mountsBelow(state).forEach(mount -> Command.output("umount", "--lazy", mount));
        podCgroups().forEach(PowerCut::remove);
        Command.run(List.of("ip", "link", "del", CniNetwork.BRIDGE));
        Command.output("iptables", "-t", "nat", "-F");
        Command.output("iptables", "-t", "nat", "-X");
    }

    /** As a tmpfs forgets. */
    public static void loseFiles(Path state) {
        Command.output("rm", "-rf", "--one-file-system", state.toString());
    }

    /** From now on the kernel names another boot, until {@link #sameBootAgain}. */
    public static void anotherBoot(Path scratch) {
        try {
            Path other = Files.writeString(scratch.resolve("boot_id"), UUID.randomUUID() + "\n");
            Command.output("mount", "--bind", other.toString(), BOOT_ID.toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static void sameBootAgain() {
        Command.output("umount", BOOT_ID.toString());
    }

    private static void end(ProcessHandle process) {
        process.destroyForcibly();
        process.onExit().join();
    }

    private static List<Path> podCgroups() {
        return Cgroups.all().stream().filter(path -> path.toString().contains("/kubepods/burstable/pod"))
                .sorted(Comparator.reverseOrder()).toList();
    }

    private static void endProcesses(Path cgroup) {
        try {
            for (String pid : Files.readAllLines(cgroup.resolve("cgroup.procs"))) {
                ProcessHandle.of(Long.parseLong(pid)).ifPresent(PowerCut::end);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void remove(Path cgroup) {
        Command.run(List.of("rmdir", cgroup.toString()));
    }

    private static List<String> mountsBelow(Path directory) {
        try {
            var mounts = new ArrayList<String>();
            for (String line : Files.readAllLines(Path.of("/proc/self/mounts"))) {
                String mount = line.split(" ")[1];
                if (mount.startsWith(directory + "/")) {
                    mounts.add(mount);
                }
            }
            return mounts.reversed();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
