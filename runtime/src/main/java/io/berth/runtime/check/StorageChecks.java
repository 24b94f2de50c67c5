package io.berth.runtime.check;

import io.berth.linux.Filesystem;
import io.berth.linux.LinuxException;
import io.berth.linux.RawPath;
import io.berth.runtime.config.BerthConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Where images and state go, and swap. */
record StorageChecks(Node node, BerthConfig config) {
    private static final String AREA = "storage";
    private static final long LOW_BYTES = 5L << 30;
    private static final long LOW_INODES = 50_000;

    List<Finding> run() {
        List<Finding> findings = new ArrayList<>();
        findings.add(root());
        findings.add(state());
        findings.add(swap());
        return findings;
    }

    private Finding root() {
        Path directory = existing(node.at(config.root().toString()));
        try {
            Filesystem filesystem = Filesystem.of(RawPath.of(directory));
            String found = config.root() + ": " + (filesystem.availableBytes() >> 20) + " MiB and "
                    + (filesystem.totalInodes() == 0
                            ? "any number of"
                            : Long.toString(filesystem.freeInodes()))
                    + " inodes free";
            if (filesystem.type() == Filesystem.OVERLAYFS) {
                return Finding.missing(AREA, "root", found + ", on overlayfs",
                        "overlayfs cannot be stacked on itself: set root to a directory of ext4, xfs or btrfs");
            }
            boolean low = filesystem.availableBytes() < LOW_BYTES
                    || (filesystem.totalInodes() > 0 && filesystem.freeInodes() < LOW_INODES);
            return low
                    ? Finding.warning(AREA, "root", found, "make room, or set root to a larger filesystem")
                    : Finding.ok(AREA, "root", found);
        } catch (LinuxException e) {
            return Finding.missing(AREA, "root", config.root() + ": " + e.getMessage(),
                    "set root to a directory that root can use");
        }
    }

    private Finding state() {
        Path directory = existing(node.at(config.state().toString()));
        try {
            return Filesystem.of(RawPath.of(directory)).type() == Filesystem.TMPFS
                    ? Finding.ok(AREA, "state", config.state() + " on tmpfs")
                    : Finding.warning(AREA, "state", config.state() + " is not on tmpfs",
                            "set state to a directory below /run, which a reboot clears");
        } catch (LinuxException e) {
            return Finding.missing(AREA, "state", config.state() + ": " + e.getMessage(),
                    "set state to a directory that root can use");
        }
    }

    /** Berth does not mind; kubelet does, unless it was told otherwise. */
    private Finding swap() {
        long areas = node.read("/proc/swaps").lines().skip(1).count();
        return areas == 0
                ? Finding.ok(AREA, "swap", "off")
                : Finding.warning(AREA, "swap", areas + (areas == 1 ? " area" : " areas") + " in use",
                        "swapoff -a, or set failSwapOn: false in kubelet's configuration");
    }

    /** The nearest directory above that is there already. */
    private static Path existing(Path path) {
        @Nullable
        Path directory = path;
        while (directory != null && !Files.isDirectory(directory)) {
            directory = directory.getParent();
        }
        return directory == null ? Path.of("/") : directory;
    }
}
