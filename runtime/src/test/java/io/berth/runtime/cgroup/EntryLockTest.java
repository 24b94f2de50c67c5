package io.berth.runtime.cgroup;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class EntryLockTest {
    private final String pid = Long.toString(ProcessHandle.current().pid());

    @TempDir
    Path mounts;

    @Test
    @Timeout(10)
    void thisProcessEntersItsOwnVersion2Cgroup() throws Exception {
        Path procs = procs("unified/system.slice/berth.service");

        EntryLock.find(new CgroupLayout(Map.of(), Optional.of(mounts.resolve("unified"))),
                List.of("0::/system.slice/berth.service")).takeAhead();

        awaitPid(procs);
    }

    @Test
    @Timeout(10)
    void aHierarchyInWhichItsCgroupCannotBeSeenIsPassedOver() throws Exception {
        Path procs = procs("cpu/berth");

        EntryLock
                .find(new CgroupLayout(
                        Map.of("memory", mounts.resolve("memory"), "cpu", mounts.resolve("cpu")),
                        Optional.empty()), List.of("3:memory:/elsewhere", "2:cpu,cpuacct:/berth", "0::/"))
                .takeAhead();

        awaitPid(procs);
    }

    @Test
    void aKernelThatRefusesIsNoError() {
        new EntryLock(Optional.of(mounts.resolve("gone/cgroup.procs"))).takeAhead();
        new EntryLock(Optional.empty()).takeAhead();
    }

    private Path procs(String cgroup) throws Exception {
        return Files.createFile(Files.createDirectories(mounts.resolve(cgroup)).resolve("cgroup.procs"));
    }

    private void awaitPid(Path procs) throws Exception {
        while (!Files.readString(procs).equals(pid)) {
            Thread.sleep(5);
        }
        assertThat(procs).hasContent(pid);
    }
}
