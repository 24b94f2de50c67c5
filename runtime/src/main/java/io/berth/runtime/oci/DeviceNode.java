package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.linux.Stat;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A device of the host as a container gets it.
 *
 * @param path where in the container
 * @param type {@code b} or {@code c}
 * @param mode permission bits
 */
public record DeviceNode(Path path, char type, int major, int minor, int mode, int uid, int gid) {
    private static final Path DEV = Path.of("/dev");
    /** What a container has of its own, not the host's: terminals, shared memory, queues, open files. */
    private static final Set<Path> OWN = Set.of(Path.of("/dev/pts"), Path.of("/dev/shm"),
            Path.of("/dev/mqueue"),
            Path.of("/dev/fd"), Path.of("/dev/console"));

    /** The device at {@code file}; empty for any other kind of file. */
    public static Optional<DeviceNode> of(Path file, Path path) throws IOException {
        try (Fd fd = Openat.open(RawPath.of(file), OpenFlags.O_PATH | OpenFlags.O_NOFOLLOW)) {
            Stat stat = Openat.stat(fd);
            if (stat.type() != Openat.S_IFCHR && stat.type() != Openat.S_IFBLK) {
                return Optional.empty();
            }
            return Optional
                    .of(new DeviceNode(path, stat.type() == Openat.S_IFBLK ? 'b' : 'c', stat.rdevMajor(),
                            stat.rdevMinor(), stat.permissions(), stat.uid(), stat.gid()));
        }
    }

    /** Every device below the host's /dev that is not a container's own. */
    static List<DeviceNode> allOfHost() throws OciException {
        List<DeviceNode> found = new ArrayList<>();
        try {
            Files.walkFileTree(DEV, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
                    return OWN.contains(directory) ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                        throws IOException {
                    if (!OWN.contains(file)) {
                        addIfThere(file);
                    }
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFileFailed(Path file, IOException failure) throws IOException {
                    // Devices come and go while the tree is walked.
                    if (failure instanceof NoSuchFileException) {
                        return FileVisitResult.CONTINUE;
                    }
                    throw failure;
                }

                private void addIfThere(Path file) throws IOException {
                    try {
                        of(file, file).ifPresent(found::add);
                    } catch (LinuxException e) {
                        if (e.errno() != Errno.ENOENT) {
                            throw e;
                        }
                    }
                }
            });
        } catch (IOException e) {
            throw new OciException(OciException.Kind.FAILED, "walk the host's /dev: " + e.getMessage(), e);
        }
        return found;
    }

    /** The OCI {@code linux.devices} entry. */
    public ObjectNode json() {
        return OciSpec.object()
                .put("path", path.toString())
                .put("type", String.valueOf(type))
                .put("major", major)
                .put("minor", minor)
                .put("fileMode", mode)
                .put("uid", uid)
                .put("gid", gid);
    }

    /** The OCI {@code linux.resources.devices} entry that allows it. */
    ObjectNode rule(String access) {
        return OciSpec.object()
                .put("allow", true)
                .put("type", String.valueOf(type))
                .put("major", major)
                .put("minor", minor)
                .put("access", access);
    }
}
