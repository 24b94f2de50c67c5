package io.berth.runtime.checkpoint;

import io.berth.linux.Fd;
import io.berth.linux.FileTree;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.linux.Stat;
import io.berth.linux.Xattr;
import io.berth.runtime.lifecycle.LifecycleException;
import java.io.BufferedOutputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Archives a directory as it is: owners, modes, times, extended attributes, hard links, devices. Sockets are left out, a tar
 * has no form for them. Follows no link.
 */
final class TreeArchive {
    private static final int DIRECTORY = OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW;
    /** Kept by the overlay for itself. */
    private static final String OVERLAY = "trusted.overlay.";

    /** Sees each entry before it is archived. */
    interface Filter {
        /** Whether {@code path} (relative, empty for the top) is to be archived. */
        boolean test(RawPath path, Stat stat, Fd parent, RawPath name)
                throws LifecycleException, IOException;
    }

    private final TarWriter tar;
    private final Filter filter;
    private final Map<Long, RawPath> linked = new HashMap<>();

    private TreeArchive(TarWriter tar, Filter filter) {
        this.tar = tar;
        this.filter = filter;
    }

    /** Writes what is in {@code top}, and {@code top} itself as {@code .}, to the new file {@code archive}. */
    static void write(Path top, Path archive, Filter filter) throws LifecycleException, IOException {
        try (TarWriter tar = new TarWriter(new BufferedOutputStream(Files.newOutputStream(archive), 1 << 17));
                Fd directory = Openat.open(RawPath.of(top), DIRECTORY)) {
            RawPath here = RawPath.of(".");
            tar.add(here, Openat.stat(directory), null, xattrs(directory, here), null);
            new TreeArchive(tar, filter).contents(directory, "");
        }
    }

    private void contents(Fd directory, String prefix) throws LifecycleException, IOException {
        for (FileTree.Entry entry : FileTree.list(directory)) {
            Stat stat = Openat.stat(directory, entry.name());
            if (stat == null) {
                continue;
            }
            RawPath path = join(prefix, entry.name());
            if (stat.type() == Openat.S_IFSOCK || !filter.test(path, stat, directory, entry.name())) {
                continue;
            }
            add(directory, entry.name(), path, stat);
            if (stat.isDirectory()) {
                try (Fd below = Openat.open(directory, entry.name(), DIRECTORY, 0)) {
                    contents(below, latin(path) + "/");
                }
            }
        }
    }

    private void add(Fd directory, RawPath name, RawPath path, Stat stat) throws IOException {
        if (stat.type() != Openat.S_IFREG) {
            @Nullable
            RawPath target = stat.type() == Openat.S_IFLNK ? Openat.readlink(directory, name) : null;
            tar.add(path, stat, target, xattrs(directory, name), null);
            return;
        }
        @Nullable
        RawPath first = stat.links() > 1 ? linked.putIfAbsent(stat.inode(), path) : null;
        if (first != null) {
            tar.add(path, stat, first, Map.of(), null);
            return;
        }
        try (Fd file = Openat.open(directory, name, OpenFlags.O_RDONLY | OpenFlags.O_NOFOLLOW, 0);
                InputStream content = new FileInputStream("/proc/self/fd/" + file.number())) {
            tar.add(path, stat, null, xattrs(directory, name), content);
        }
    }

    private static Map<String, byte[]> xattrs(Fd directory, RawPath name) throws LinuxException {
        RawPath path = below(directory, name);
        Map<String, byte[]> result = new TreeMap<>();
        List<String> names = Xattr.list(path);
        for (String attribute : names) {
            byte @Nullable [] value = attribute.startsWith(OVERLAY) ? null : Xattr.get(path, attribute);
            if (value != null) {
                result.put(attribute, value);
            }
        }
        return result;
    }

    /** A path by which calls without a directory descriptor reach a name in one. */
    static RawPath below(Fd directory, RawPath name) {
        return join("/proc/self/fd/" + directory.number() + "/", name);
    }

    /** @param prefix bytes as Latin-1 characters */
    private static RawPath join(String prefix, RawPath name) {
        byte[] head = prefix.getBytes(StandardCharsets.ISO_8859_1);
        byte[] tail = name.toBytes();
        byte[] all = new byte[head.length + tail.length];
        System.arraycopy(head, 0, all, 0, head.length);
        System.arraycopy(tail, 0, all, head.length, tail.length);
        return RawPath.of(all, 0, all.length);
    }

    private static String latin(RawPath path) {
        return new String(path.toBytes(), StandardCharsets.ISO_8859_1);
    }
}
