package io.berth.runtime.checkpoint;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.Snapshots.Snapshot;
import io.berth.imagestore.unpack.LayerUnpacker;
import io.berth.imagestore.LayerLimits;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.FileTree;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.linux.Stat;
import io.berth.linux.Xattr;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.TimeLimit;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** What a container has changed in its image's root filesystem: a tar of what is new, and the names that are gone. */
public final class RootfsChanges {
    private static final int DIRECTORY = OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW;
    private static final String OPAQUE = "trusted.overlay.opaque";

    private RootfsChanges() {}

    /**
     * Archives the writable layer of {@code snapshot}; nothing may write to it meanwhile.
     *
     * @param limit looked at before each file, as the container waits
     * @return paths of the image that the container has deleted, relative to its root
     */
    public static List<String> capture(Snapshot snapshot, Path archive, TimeLimit limit)
            throws LifecycleException, IOException {
        Set<String> deleted = new TreeSet<>();
        TreeArchive.write(snapshot.upper(), archive, (path, stat, parent, name) -> {
            limit.left("archive the changed files of the container");
            if (isWhiteout(stat)) {
                deleted.add(path.toString());
                return false;
            }
            if (stat.isDirectory() && isOpaque(parent, name)) {
                deleted.addAll(hidden(snapshot.lower(), path, parent, name));
            }
            return true;
        });
        return List.copyOf(deleted);
    }

    private static boolean isWhiteout(Stat stat) {
        return stat.type() == Openat.S_IFCHR && stat.rdevMajor() == 0 && stat.rdevMinor() == 0;
    }

    private static boolean isOpaque(Fd parent, RawPath name) throws LinuxException {
        byte[] value = Xattr.get(TreeArchive.below(parent, name), OPAQUE);
        return value != null && Arrays.equals(value, new byte[]{'y'});
    }

    /** What lower layers have in a directory that the container has made anew; to delete what is not there does no harm. */
    private static Set<String> hidden(List<Path> lower, RawPath path, Fd parent, RawPath name)
            throws LinuxException {
        Set<RawPath> kept = new HashSet<>();
        try (Fd directory = Openat.open(parent, name, DIRECTORY, 0)) {
            FileTree.list(directory).forEach(entry -> kept.add(entry.name()));
        }
        Set<String> hidden = new TreeSet<>();
        for (Path layer : lower) {
            try (Fd root = Openat.open(RawPath.of(layer), DIRECTORY);
                    Fd directory = Openat.open(root, path, DIRECTORY, 0,
                            OpenFlags.RESOLVE_BENEATH | OpenFlags.RESOLVE_NO_SYMLINKS)) {
                for (FileTree.Entry entry : FileTree.list(directory)) {
                    if (!kept.contains(entry.name())) {
                        hidden.add(path + "/" + entry.name());
                    }
                }
            } catch (LinuxException e) {
                if (!isAbsent(e)) {
                    throw e;
                }
            }
        }
        return hidden;
    }

    /**
     * Unpacks an archive of {@link #capture}, or an image layer with the same changes, into the writable layer of a new
     * snapshot that is not mounted. No name in it can lead out of the layer.
     *
     * @throws ImageException CORRUPT naming the entry, NO_SPACE
     */
    public static void apply(Path archive, Snapshot snapshot) throws IOException {
        unpackInto(snapshot.upper(), archive);
    }

    /** Unpacks into {@code directory}, whose own owner and mode stay. */
    static void unpackInto(Path directory, Path archive) throws IOException {
        try (Fd top = Openat.open(RawPath.of(directory), DIRECTORY)) {
            Stat before = Openat.stat(top);
            new LayerUnpacker(LayerLimits.DEFAULT).unpackArchive(Files.newInputStream(archive), directory);
            RawPath here = RawPath.of(".");
            Openat.chown(top, here, before.uid(), before.gid());
            Openat.chmod(top, here, before.permissions());
        }
    }

    /** Deletes {@code paths} in a mounted root filesystem; absent is success. No path leads out of it, not by links either. */
    public static void delete(Path rootfs, List<String> paths) throws LinuxException {
        try (Fd root = Openat.open(RawPath.of(rootfs), DIRECTORY)) {
            for (String path : paths) {
                delete(root, path);
            }
        }
    }

    private static void delete(Fd root, String path) throws LinuxException {
        String relative = path.replaceFirst("^/+", "").replaceFirst("/+$", "");
        int slash = relative.lastIndexOf('/');
        String name = relative.substring(slash + 1);
        if (name.isEmpty() || name.equals(".") || name.equals("..")) {
            return;
        }
        String parent = slash < 0 ? "." : relative.substring(0, slash);
        try (Fd directory = Openat.open(root, RawPath.of(parent), DIRECTORY, 0,
                OpenFlags.RESOLVE_BENEATH | OpenFlags.RESOLVE_NO_SYMLINKS)) {
            FileTree.delete(directory, RawPath.of(name.getBytes(StandardCharsets.UTF_8), 0,
                    name.getBytes(StandardCharsets.UTF_8).length));
        } catch (LinuxException e) {
            if (!isAbsent(e)) {
                throw e;
            }
        }
    }

    private static boolean isAbsent(LinuxException e) {
        return e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR || e.errno() == Errno.ELOOP;
    }
}
