package io.berth.runtime.cgroup;

import io.berth.cri.v1.LinuxContainerResources;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;

/** The control groups of this machine. Thread-safe: all state is the kernel's. */
public final class NodeCgroups implements Cgroups {
    private static final Duration KILL_DEADLINE = Duration.ofSeconds(5);
    private static final int CREATE_ATTEMPTS = 5;
    private static final long POLL_NANOS = Duration.ofMillis(2).toNanos();

    private final CgroupLayout layout;
    private final Driver driver;
    private final CgroupUsageReader reader;
    private final CgroupDetailReader details;
    private final CgroupLimiter limiter;
    private final EntryLock entryLock;

    NodeCgroups(CgroupLayout layout, Driver driver) {
        this(layout, driver, new EntryLock(Optional.empty()));
    }

    private NodeCgroups(CgroupLayout layout, Driver driver, EntryLock entryLock) {
        this.layout = layout;
        this.driver = driver;
        this.reader = new CgroupUsageReader(layout);
        this.details = new CgroupDetailReader(layout, reader);
        this.limiter = new CgroupLimiter(layout);
        this.entryLock = entryLock;
    }

    /**
     * Finds the hierarchies and the driver.
     *
     * @param wantedDriver {@code auto}, {@code cgroupfs} or {@code systemd}; auto is systemd where that runs this machine
     * @throws IOException where no hierarchy is mounted, or systemd is wanted and does not run
     */
    public static NodeCgroups detect(String wantedDriver) throws IOException {
        return detect(wantedDriver, Path.of("/"));
    }

    static NodeCgroups detect(String wantedDriver, Path root) throws IOException {
        boolean systemd = Files.isDirectory(root.resolve("run/systemd/system"))
                && CgroupFiles.text(root.resolve("proc/1/comm")).orElse("").equals("systemd");
        Driver driver = switch (wantedDriver) {
            case "auto" -> systemd ? Driver.SYSTEMD : Driver.CGROUPFS;
            case "cgroupfs" -> Driver.CGROUPFS;
            case "systemd" -> {
                if (!systemd) {
                    throw new IOException("cgroup_driver is systemd, but systemd does not run as PID 1;"
                            + " set it to cgroupfs or auto");
                }
                yield Driver.SYSTEMD;
            }
            default -> throw new IllegalArgumentException(
                    "cgroup_driver is \"" + wantedDriver + "\"; it takes auto, cgroupfs or systemd");
        };
        CgroupLayout layout = CgroupLayout.detect(root);
        return new NodeCgroups(layout, driver, EntryLock.find(layout,
                CgroupFiles.text(root.resolve("proc/self/cgroup")).stream().flatMap(String::lines).toList()));
    }

    @Override
    public Mode mode() {
        return layout.mode();
    }

    @Override
    public Driver driver() {
        return driver;
    }

    @Override
    public PodCgroup createPod(String parent, String sandboxId) throws IOException {
        PodCgroup pod = pod(parent, sandboxId);
        for (Path root : layout.hierarchies()) {
            create(root, leaf(pod.path(), sandboxId));
        }
        return pod;
    }

    @Override
    public PodCgroup pod(String parent, String sandboxId) {
        String path = CgroupPath.ofPod(driver, parent, sandboxId);
        Path directory = CgroupPath.directory(path);
        // A version 2 cgroup has processes or children with controllers, never both: the pod's own process gets a leaf.
        Path leaf = layout.unifiedOnly() ? directory.resolve(sandboxId) : directory;
        List<Path> procs = layout.hierarchies().stream()
                .map(root -> root.resolve(leaf).resolve("cgroup.procs")).toList();
        return new PodCgroup(path, procs);
    }

    @Override
    public void removePod(String parent, String sandboxId) throws IOException {
        String path = CgroupPath.ofPod(driver, parent, sandboxId);
        Path directory = CgroupPath.directory(path);
        if (driver == Driver.SYSTEMD && parent.isEmpty()) {
            SystemdSlices.remove(path);
        }
        for (Path root : layout.hierarchies()) {
            Path cgroup = root.resolve(directory);
            if (layout.unifiedOnly()) {
                removeEmpty(cgroup.resolve(sandboxId));
            }
            if (parent.isEmpty()) {
                removeEmpty(cgroup);
                // Berth's own parent goes with the last pod; the next one makes it again.
                removeEmpty(cgroup.resolveSibling(""));
            }
        }
    }

    @Override
    public void expectEntry() {
        entryLock.takeAhead();
    }

    @Override
    public Optional<CgroupUsage> usage(String cgroupsPath) {
        return reader.read(CgroupPath.directory(cgroupsPath));
    }

    @Override
    public Optional<CgroupDetail> detail(String cgroupsPath) {
        return details.read(CgroupPath.directory(cgroupsPath));
    }

    @Override
    public long processCount(String cgroupsPath) throws IOException {
        return details.pids(CgroupPath.directory(cgroupsPath)).size();
    }

    @Override
    public void limit(String cgroupsPath, LinuxContainerResources limits) throws IOException {
        Path directory = CgroupPath.directory(cgroupsPath);
        if (!layout.unifiedOnly() || driver != Driver.SYSTEMD) {
            limiter.apply(directory, limits);
            return;
        }
        SystemdSlices.limit(cgroupsPath, limits);
        LinuxContainerResources others = SystemdSlices.others(limits);
        if (!others.equals(LinuxContainerResources.getDefaultInstance())) {
            // systemd leaves alone the controllers that it does not know, such as hugetlb.
            Path at = layout.unified().orElseThrow();
            for (Path name : directory) {
                delegate(at);
                at = at.resolve(name);
            }
            limiter.apply(directory, others);
        }
    }

    @Override
    public List<Long> processes(String cgroupsPath) throws IOException {
        Path directory = CgroupPath.directory(cgroupsPath);
        Set<Long> pids = new LinkedHashSet<>();
        for (Path root : layout.hierarchies()) {
            for (Path cgroup : CgroupFiles.tree(root.resolve(directory))) {
                pids.addAll(CgroupFiles.pids(cgroup));
            }
        }
        return List.copyOf(pids);
    }

    @Override
    public void killAndRemove(String cgroupsPath) throws IOException {
        Path directory = CgroupPath.directory(cgroupsPath);
        if (directory.toString().isEmpty()) {
            throw new IllegalArgumentException("refused to kill the root cgroup");
        }
        kill(cgroupsPath, directory);
        for (Path root : layout.hierarchies()) {
            for (Path cgroup : CgroupFiles.tree(root.resolve(directory)).reversed()) {
                removeKilled(cgroup);
            }
        }
    }

    @Override
    public long oomKills(String cgroupsPath) {
        return reader.oomKills(CgroupPath.directory(cgroupsPath));
    }

    /**
     * Where a process of the pod's own goes. A version 2 cgroup has processes or children with controllers, never both, so
     * there it gets a leaf.
     */
    private Path leaf(String podPath, String sandboxId) {
        Path directory = CgroupPath.directory(podPath);
        return layout.unifiedOnly() ? directory.resolve(sandboxId) : directory;
    }

    private void create(Path root, Path directory) throws IOException {
        for (int attempt = 1;; attempt++) {
            try {
                createOnce(root, directory);
                return;
            } catch (NoSuchFileException e) {
                // The last pod of another call has just taken Berth's own parent with it.
                if (attempt == CREATE_ATTEMPTS) {
                    throw e;
                }
            }
        }
    }

    private void createOnce(Path root, Path directory) throws IOException {
        Path at = root;
        for (Path name : directory) {
            if (layout.unifiedOnly() && driver == Driver.CGROUPFS) {
                delegate(at);
            }
            at = at.resolve(name);
            try {
                Files.createDirectory(at);
                inheritCpuset(at);
            } catch (FileAlreadyExistsException e) {
                // kubelet's, or another pod's parent.
            }
        }
    }

    /**
     * Gives a version 2 cgroup's children its controllers. One that cannot be given (a real-time process forbids cpu) is
     * missed only by a container that is limited by it, and its OCI runtime then says so.
     */
    private static void delegate(Path cgroup) {
        Set<String> given = Set
                .of(CgroupFiles.text(cgroup.resolve("cgroup.subtree_control")).orElse("").split(" "));
        for (String controller : CgroupFiles.text(cgroup.resolve("cgroup.controllers")).orElse("")
                .split(" ")) {
            if (!controller.isEmpty() && !given.contains(controller)) {
                write(cgroup.resolve("cgroup.subtree_control"), "+" + controller);
            }
        }
    }

    /** A new version 1 cpuset is empty, and no process may enter it so. */
    private static void inheritCpuset(Path cgroup) throws IOException {
        for (String name : List.of("cpuset.cpus", "cpuset.mems")) {
            Path own = cgroup.resolve(name);
            Path parents = cgroup.resolveSibling(name);
            if (Files.exists(own) && Files.exists(parents) && Files.exists(cgroup.resolve("tasks"))
                    && Files.readString(own).isBlank()) {
                Files.writeString(own, Files.readString(parents));
            }
        }
    }

    private void kill(String cgroupsPath, Path directory) throws IOException {
        // A version 1 freezer keeps SIGKILL waiting.
        Path freezer = layout.v1().get("freezer");
        if (freezer != null) {
            for (Path cgroup : CgroupFiles.tree(freezer.resolve(directory))) {
                write(cgroup.resolve("freezer.state"), "THAWED");
            }
        }
        layout.unified().ifPresent(root -> write(root.resolve(directory).resolve("cgroup.kill"), "1"));
        long deadline = System.nanoTime() + KILL_DEADLINE.toNanos();
        List<Long> left = processes(cgroupsPath);
        while (!left.isEmpty()) {
            if (System.nanoTime() - deadline > 0) {
                throw new IOException(
                        "processes " + left + " of cgroup " + cgroupsPath + " do not die of SIGKILL within "
                                + KILL_DEADLINE.toSeconds() + " s; they hang in the kernel (state D?)");
            }
            for (long pid : left) {
                ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
            }
            LockSupport.parkNanos(POLL_NANOS);
            left = processes(cgroupsPath);
        }
    }

    /** The kernel takes a moment to let go of a cgroup whose last process has just died. */
    private static void removeKilled(Path cgroup) throws IOException {
        long deadline = System.nanoTime() + KILL_DEADLINE.toNanos();
        while (!removeEmpty(cgroup)) {
            if (System.nanoTime() - deadline > 0) {
                throw new IOException("cgroup " + cgroup + " cannot be removed: it stays busy");
            }
            LockSupport.parkNanos(POLL_NANOS);
        }
    }

    /** Whether the cgroup is gone now; false while it has processes or children. */
    private static boolean removeEmpty(Path cgroup) {
        try {
            Files.delete(cgroup);
            return true;
        } catch (NoSuchFileException e) {
            return true;
        } catch (DirectoryNotEmptyException e) {
            return false;
        } catch (IOException e) {
            // EBUSY has no exception of its own.
            return Files.notExists(cgroup);
        }
    }

    /** For files that this kernel may not have, or that may go with their cgroup. */
    private static void write(Path file, String text) {
        if (Files.exists(file)) {
            try {
                Files.writeString(file, text);
            } catch (IOException e) {
                // The caller looks at the outcome, not at this step.
            }
        }
    }
}
