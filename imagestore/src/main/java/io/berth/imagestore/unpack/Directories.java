package io.berth.imagestore.unpack;

import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.FileTree;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.linux.Stat;
import io.berth.linux.Xattr;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The directories of a layer that is being unpacked. A parent is opened by the kernel with the layer as its root, so no link
 * leads out of it, and stays open for its neighbours in the archive. Owner, mode and times come last: a directory must be
 * writable, and free of set-group-ID, until it is full.
 */
final class Directories implements AutoCloseable {
    private static final int OPEN_AT_ONCE = 64;
    private static final int OPEN_DIRECTORY = OpenFlags.O_PATH | OpenFlags.O_DIRECTORY;
    private static final long CONTAINED = OpenFlags.RESOLVE_IN_ROOT | OpenFlags.RESOLVE_NO_MAGICLINKS;
    private static final String OPAQUE = "trusted.overlay.opaque";
    private static final byte[] YES = {'y'};

    private final Fd root;
    private final Map<TarPath, Fd> open = new LinkedHashMap<>(16, 0.75f, true);
    private final Map<TarPath, TarEntry> attributes = new LinkedHashMap<>();
    private final Set<TarPath> implied = new HashSet<>(Set.of(TarPath.ROOT));
    private final Set<TarPath> opaque = new HashSet<>();
    private final List<TarPath> whiteouts = new ArrayList<>();
    private long made = 1;

    /** @param root the layer's directory, which the caller closes */
    Directories(Fd root) {
        this.root = root;
    }

    /** The open directory {@code path}, made if absent together with what is above it. Valid until the next call. */
    Fd open(TarPath path) throws LinuxException {
        Fd cached = open.get(path);
        if (cached != null) {
            return cached;
        }
        Fd fd;
        try {
            fd = openExisting(path);
        } catch (LinuxException e) {
            if (e.errno() != Errno.ENOENT && e.errno() != Errno.ENOTDIR) {
                throw e;
            }
            makeImplied(path);
            fd = openExisting(path);
        }
        remember(path, fd);
        return fd;
    }

    /** The directory {@code path}, which must exist; the caller closes it. */
    Fd reopen(TarPath path) throws LinuxException {
        return openExisting(path);
    }

    /** Notes the attributes of the directory {@code entry}, for {@link #finish}. */
    void describe(TarEntry entry) {
        attributes.remove(entry.path());
        attributes.put(entry.path(), entry);
        implied.remove(entry.path());
    }

    /** Makes {@code path}, which must be absent; its parent is {@code parent}. */
    void make(Fd parent, TarPath path) throws LinuxException {
        Openat.mkdir(parent, TarPath.raw(path.name()), 0700);
        made++;
    }

    /** Hides what lower layers have in {@code path}, a directory. */
    void makeOpaque(TarPath path) throws LinuxException {
        if (opaque.add(path)) {
            Xattr.set(open(path), RawPath.of("."), OPAQUE, YES);
        }
    }

    /** Notes a whiteout file at {@code path}. */
    void addWhiteout(TarPath path) {
        whiteouts.add(path);
    }

    /** Removes whatever is at {@code path}, a directory with all below it; returns what it was. */
    Stat remove(TarPath path) throws LinuxException {
        Fd parent = open(path.parent());
        RawPath name = TarPath.raw(path.name());
        Stat stat = Openat.stat(parent, name);
        if (stat == null) {
            throw new LinuxException("statx", path.toString(), Errno.ENOENT.number());
        }
        if (!stat.isDirectory()) {
            // What is open may have been reached through it.
            close();
            Openat.unlink(open(path.parent()), name);
            return stat;
        }
        forget(path);
        parent = open(path.parent());
        made--;
        FileTree.delete(parent, name);
        return stat;
    }

    /** Sets what was noted, deepest last made first, and drops whiteouts that an opaque directory makes meaningless. */
    void finish() throws LinuxException {
        for (TarPath whiteout : whiteouts) {
            if (opaque.contains(whiteout.parent())) {
                dropWhiteout(whiteout);
            }
        }
        Deque<TarEntry> reversed = new ArrayDeque<>();
        attributes.values().forEach(reversed::addFirst);
        for (TarEntry entry : reversed) {
            apply(entry);
        }
    }

    /** Directories made. */
    long made() {
        return made;
    }

    Set<TarPath> implied() {
        return implied;
    }

    boolean isRootOpaque() { return opaque.contains(TarPath.ROOT); }

    @Override
    public void close() {
        open.values().forEach(Fd::close);
        open.clear();
    }

    private Fd openExisting(TarPath path) throws LinuxException {
        return Openat.open(root, path.raw(), OPEN_DIRECTORY, 0, CONTAINED);
    }

    private void makeImplied(TarPath path) throws LinuxException {
        if (path.isRoot()) {
            return;
        }
        Fd parent = open(path.parent());
        RawPath name = TarPath.raw(path.name());
        Stat stat = Openat.stat(parent, name);
        boolean whiteout = stat != null && isWhiteout(stat);
        if (whiteout) {
            Openat.unlink(parent, name);
        }
        if (stat == null || whiteout) {
            Openat.mkdir(parent, name, 0755);
            Openat.chmod(parent, name, 0755);
            made++;
            implied.add(path);
        }
        if (whiteout) {
            makeOpaque(path);
        }
    }

    static boolean isWhiteout(Stat stat) {
        return stat.type() == Openat.S_IFCHR && stat.rdevMajor() == 0 && stat.rdevMinor() == 0;
    }

    private void dropWhiteout(TarPath path) throws LinuxException {
        Fd parent = open(path.parent());
        RawPath name = TarPath.raw(path.name());
        Stat stat = Openat.stat(parent, name);
        if (stat != null && isWhiteout(stat)) {
            Openat.unlink(parent, name);
        }
    }

    private void apply(TarEntry entry) throws LinuxException {
        Fd directory = open(entry.path());
        RawPath self = RawPath.of(".");
        Openat.chown(directory, self, entry.uid(), entry.gid());
        Openat.chmod(directory, self, entry.mode());
        for (Map.Entry<String, byte[]> xattr : entry.xattrs().entrySet()) {
            Attributes.set(xattr.getKey(), entry.path(),
                    () -> Xattr.set(directory, self, xattr.getKey(), xattr.getValue()));
        }
        Openat.setTimes(directory, self, entry.times());
    }

    private void forget(TarPath path) {
        close();
        attributes.keySet().removeIf(other -> other.equals(path) || other.isBelow(path));
        implied.removeIf(other -> other.equals(path) || other.isBelow(path));
        opaque.removeIf(other -> other.equals(path) || other.isBelow(path));
    }

    private void remember(TarPath path, Fd fd) {
        open.put(path, fd);
        if (open.size() > OPEN_AT_ONCE) {
            Iterator<Fd> eldest = open.values().iterator();
            eldest.next().close();
            eldest.remove();
        }
    }
}
