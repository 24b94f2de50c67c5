package io.berth.e2e.bench;

import io.berth.cri.v1.VersionRequest;
import io.berth.cri.v1.VersionResponse;
import io.berth.e2e.cri.Cri;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * A runtime to be measured.
 *
 * @param handler the OCI runtime of its pods; empty for its default
 * @param logs where its pods log to
 */
record Target(Path socket, Cri cri, String handler, Path logs) {
    /** Name and version as the runtime says them. */
    VersionResponse version() {
        return cri.runtime().version(VersionRequest.getDefaultInstance());
    }

    /** The process that listens on the socket. */
    long daemonPid() {
        try {
            String inode = Files.readAllLines(Path.of("/proc/net/unix")).stream()
                    .filter(line -> line.endsWith(" " + socket)).map(line -> line.trim().split("\\s+")[6])
                    .findFirst().orElseThrow(() -> new IOException("nobody listens on " + socket));
            return ProcessHandle.allProcesses().mapToLong(ProcessHandle::pid)
                    .filter(pid -> hasOpen(pid, "socket:[" + inode + "]"))
                    .min()
                    .orElseThrow(() -> new IOException("the process behind " + socket + " is not to be seen;"
                            + " run this in the runtime's pid namespace"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean hasOpen(long pid, String target) {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/" + pid + "/fd"))) {
            return descriptors.anyMatch(descriptor -> leadsTo(descriptor, target));
        } catch (IOException e) {
            // It ended meanwhile.
            return false;
        }
    }

    private static boolean leadsTo(Path link, String target) {
        try {
            return Files.readSymbolicLink(link).toString().equals(target);
        } catch (IOException e) {
            return false;
        }
    }
}
