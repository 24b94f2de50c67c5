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
 * @param pid of its daemon
 * @param handler the OCI runtime of its pods; empty for its default
 * @param logs where its pods log to
 */
record Target(long pid, Cri cri, String handler, Path logs) {
    /** Flag of /proc/net/unix: {@code __SO_ACCEPTCON}. */
    private static final String LISTENING = "00010000";

    /** Name and version as the runtime says them. */
    VersionResponse version() {
        return cri.runtime().version(VersionRequest.getDefaultInstance());
    }

    /**
     * The process that listens on {@code socket}. A socket that was renamed after it was bound is found by its directory.
     */
    static long listener(Path socket) {
        try {
            String inode = Files.readAllLines(Path.of("/proc/net/unix")).stream()
                    .filter(line -> line.contains(" " + socket.getParent() + "/"))
                    .filter(line -> line.split("\\s+")[3].equals(LISTENING))
                    .map(line -> line.trim().split("\\s+")[6])
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
