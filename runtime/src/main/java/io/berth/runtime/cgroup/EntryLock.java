package io.berth.runtime.cgroup;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The kernel's lock for all entries of processes into cgroups, one for every hierarchy. Whoever takes it after a pause waits
 * for an RCU grace period (10 to 16 ms on an idle machine with two processors), whoever takes it within some 30 ms after that
 * does not. So it is taken once for nothing while a container's files are made ready, and the OCI runtime does not wait.
 */
final class EntryLock {
    private static final Logger log = LoggerFactory.getLogger(EntryLock.class);

    private final Optional<Path> ownProcs;
    private final byte[] ownPid = Long.toString(ProcessHandle.current().pid())
            .getBytes(StandardCharsets.US_ASCII);
    private final AtomicBoolean taking = new AtomicBoolean();

    /** @param ownProcs {@code cgroup.procs} of the cgroup that this process is in; none to do nothing */
    EntryLock(Optional<Path> ownProcs) {
        this.ownProcs = ownProcs;
    }

    /** Of the hierarchies of {@code layout} the first in which this process's cgroup can be seen. */
    static EntryLock find(CgroupLayout layout, List<String> procSelfCgroup) {
        for (String line : procSelfCgroup) {
            // hierarchy-ID:controller-list:cgroup-path, cgroups(7)
            String[] fields = line.split(":", 3);
            Path procs = mountPoint(layout, fields[1])
                    .map(mount -> mount.resolve(Path.of("/").relativize(Path.of(fields[2])))
                            .resolve("cgroup.procs"))
                    .filter(Files::isWritable).orElse(null);
            if (procs != null) {
                return new EntryLock(Optional.of(procs));
            }
        }
        return new EntryLock(Optional.empty());
    }

    private static Optional<Path> mountPoint(CgroupLayout layout, String controllers) {
        if (controllers.isEmpty()) {
            return layout.unified();
        }
        Map<String, Path> v1 = layout.v1();
        return List.of(controllers.split(",")).stream().filter(v1::containsKey).map(v1::get).findFirst();
    }

    /** Takes and releases the lock on a thread of its own, and returns at once. */
    void takeAhead() {
        if (ownProcs.isPresent() && taking.compareAndSet(false, true)) {
            Thread.ofPlatform().daemon().name("cgroup-entry").start(() -> enterOwn(ownProcs.get()));
        }
    }

    /** Moves this process to where it is: the kernel takes the lock before it looks. */
    private void enterOwn(Path procs) {
        try {
            Files.write(procs, ownPid, StandardOpenOption.WRITE);
        } catch (IOException e) {
            log.atDebug().addKeyValue("file", procs).setCause(e).log("the cgroup lock cannot be taken ahead");
        } finally {
            taking.set(false);
        }
    }
}
