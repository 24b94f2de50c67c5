package io.berth.imagestore.unpack;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.linux.Stat;
import io.berth.linux.Xattr;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The directories of a layer that is being unpacked. A parent is opened by the kernel with the layer as its root, so no link
 * leads out of it, and stays open for its neighbours in the archive. Owner, mode and times come last: a directory must be
 * writable, and free of set-group-ID, until it is full.
 */
final class Directories implements AutoCloseable {
    private static final int OPEN_AT_ONCE = 64;
    /** They stay in memory as long as the layer is on the node, and each is looked for in all layers of its image. */
    private static final int MAX_IMPLIED = 100_000;
    private static final long MAX_IMPLIED_CHARACTERS = 8 << 20;
    private static final int OPEN_DIRECTORY = OpenFlags.O_PATH | OpenFlags.O_DIRECTORY;
    private static final long CONTAINED = OpenFlags.RESOLVE_IN_ROOT | OpenFlags.RESOLVE_NO_MAGICLINKS;
    private static final String OPAQUE = "trusted.overlay.opaque";
    private static final byte[] YES = {'y'};

    private final Fd root;
    private final LayerRecorder recorder;
    private final KeptBytes kept;
    private final Map<TarPath, Opened> open = new LinkedHashMap<>(16, 0.75f, true);
    /** By real path, as all below. */
    private final Map<TarPath, TarEntry> attributes = new LinkedHashMap<>();
    private final Set<TarPath> implied = new HashSet<>(Set.of(TarPath.ROOT));
    private final Set<TarPath> opaque = new HashSet<>();
    private final Set<TarPath> whiteouts = new LinkedHashSet<>();
    private long made = 1;
    private long madeUnasked;
    private long madeUnaskedCharacters;

    /**
     * An open directory.
     *
     * @param real its path without the links that led there
     */
    record Opened(Fd fd, TarPath real) implements AutoCloseable {
        @Override
        public void close() {
            fd.close();
        }
    }

    /** @param root the layer's directory, which the caller closes */
    Directories(Fd root, LayerRecorder recorder, KeptBytes kept) {
        this.root = root;
        this.recorder = recorder;
        this.kept = kept;
    }

    /** The open directory {@code path}, made if absent together with what is above it. Valid until the next call. */
    Fd open(TarPath path) throws IOException {
        return opened(path).fd;
    }

    /** Where the file {@code path} really is: its directory's path without links, made if absent. */
    TarPath real(TarPath path) throws IOException {
        return path.isRoot() ? path : opened(path.parent()).real.resolve(path.name());
    }

    /** The directory {@code path}, which must exist; the caller closes it. */
    Opened reopen(TarPath path) throws LinuxException {
        return openExisting(path);
    }

    /** Notes the attributes of the directory {@code entry}, for {@link #finish}. */
    void describe(TarEntry entry) throws IOException {
        TarPath real = real(entry.path());
        long xattrs = 0;
        for (Map.Entry<String, byte[]> xattr : entry.xattrs().entrySet()) {
            xattrs += KeptBytes.ITEM_BYTES + xattr.getKey().length() + xattr.getValue().length;
        }
        kept.add(real, xattrs);
        attributes.remove(real);
        attributes.put(real, entry.at(real));
        implied.remove(real);
    }

    /** Makes {@code path}, which must be absent; its parent is {@code parent}. */
    void make(Fd parent, TarPath path) throws LinuxException {
        Openat.mkdir(parent, TarPath.raw(path.name()), 0700);
        made++;
    }

    /** Hides what lower layers have in {@code path}, a directory. */
    void makeOpaque(TarPath path) throws IOException {
        Opened directory = opened(path);
        if (opaque.add(directory.real)) {
            kept.add(directory.real, 0);
            Xattr.set(directory.fd, RawPath.of("."), OPAQUE, YES);
        }
    }

    /** Notes a whiteout file at {@code path}. */
    void addWhiteout(TarPath path) throws IOException {
        TarPath real = real(path);
        kept.add(real, 0);
        whiteouts.add(real);
    }

    /** Removes whatever is at {@code path}, a directory with all below it; returns what it was. */
    Stat remove(TarPath path) throws IOException {
        TarPath real = real(path);
        Fd parent = open(path.parent());
        RawPath name = TarPath.raw(path.name());
        Stat stat = Openat.stat(parent, name);
        if (stat == null) {
            throw new LinuxException("statx", path.toString(), Errno.ENOENT.number());
        }
        if (!stat.isDirectory()) {
            // What is open may have been reached through it.
            close();
            if (isWhiteout(stat) && whiteouts.remove(real)) {
                Openat.unlink(open(path.parent()), name);
            } else {
                recorder.displace(open(path.parent()), name, real);
            }
            return stat;
        }
        forget(real);
        parent = open(path.parent());
        made--;
        recorder.displace(parent, name, real);
        return stat;
    }

    /** Sets what was noted, deepest last made first, and drops whiteouts that an opaque directory makes meaningless. */
    void finish() throws IOException {
        for (TarPath whiteout : whiteouts) {
            if (opaque.contains(whiteout.parent())) {
                Openat.unlink(open(whiteout.parent()), TarPath.raw(whiteout.name()));
            } else {
                recorder.whiteout(whiteout);
            }
        }
        for (TarPath path : implied) {
            recorder.implied(path, opaque.contains(path));
        }
        Deque<Map.Entry<TarPath, TarEntry>> reversed = new ArrayDeque<>();
        attributes.entrySet().forEach(reversed::addFirst);
        for (Map.Entry<TarPath, TarEntry> described : reversed) {
            apply(described.getKey(), described.getValue());
        }
    }

    /** Directories made that no entry of the archive had asked for by then. */
    long madeUnasked() {
        return madeUnasked;
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
        open.values().forEach(Opened::close);
        open.clear();
    }

    private Opened opened(TarPath path) throws IOException {
        Deque<TarPath> absent = new ArrayDeque<>();
        TarPath at = path;
        Opened directory;
        while ((directory = ifExisting(at)) == null) {
            absent.push(at);
            at = at.parent();
        }
        // Not by recursion: a name may ask for two thousand.
        while (!absent.isEmpty()) {
            at = absent.pop();
            makeImplied(directory, at);
            directory = existing(at);
        }
        return directory;
    }

    private @Nullable Opened ifExisting(TarPath path) throws LinuxException {
        try {
            return existing(path);
        } catch (LinuxException e) {
            if (!path.isRoot() && (e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR)) {
                return null;
            }
            throw e;
        }
    }

    private Opened existing(TarPath path) throws LinuxException {
        Opened cached = open.get(path);
        if (cached != null) {
            return cached;
        }
        Opened directory = openExisting(path);
        remember(path, directory);
        return directory;
    }

    private Opened openExisting(TarPath path) throws LinuxException {
        try {
            return new Opened(Openat.open(root, path.raw(), OPEN_DIRECTORY, 0,
                    CONTAINED | OpenFlags.RESOLVE_NO_SYMLINKS), path);
        } catch (LinuxException e) {
            if (e.errno() != Errno.ELOOP) {
                throw e;
            }
        }
        Fd fd = Openat.open(root, path.raw(), OPEN_DIRECTORY, 0, CONTAINED);
        try {
            return new Opened(fd, realPath(fd));
        } catch (LinuxException | RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** The path of {@code directory} below the root, by the kernel's own names of both. */
    private TarPath realPath(Fd directory) throws LinuxException {
        byte[] top = name(root);
        byte[] whole = name(directory);
        return TarPath.of(Arrays.copyOfRange(whole, Math.min(top.length, whole.length), whole.length));
    }

    private byte[] name(Fd directory) throws LinuxException {
        return Openat.readlink(root, RawPath.of("/proc/self/fd/" + directory.number())).toBytes();
    }

    private void makeImplied(Opened directory, TarPath path) throws IOException {
        Fd parent = directory.fd;
        RawPath name = TarPath.raw(path.name());
        TarPath real = directory.real.resolve(path.name());
        Stat stat = Openat.stat(parent, name);
        boolean whiteout = stat != null && isWhiteout(stat) && whiteouts.remove(real);
        if (whiteout) {
            Openat.unlink(parent, name);
        }
        if (stat == null || whiteout) {
            Openat.mkdir(parent, name, 0755);
            Openat.chmod(parent, name, 0755);
            made++;
            madeUnasked++;
            kept.add(real, 0);
            madeUnaskedCharacters += real.text().length();
            implied.add(real);
            if (implied.size() > MAX_IMPLIED || madeUnaskedCharacters > MAX_IMPLIED_CHARACTERS) {
                throw new ImageException(Kind.CORRUPT, "more than " + MAX_IMPLIED
                        + " directories of the layer, or " + MAX_IMPLIED_CHARACTERS
                        + " bytes of their names, have no entry of their own; it must be built again with them");
            }
        }
        if (whiteout) {
            makeOpaque(path);
        }
    }

    static boolean isWhiteout(Stat stat) {
        return stat.type() == Openat.S_IFCHR && stat.rdevMajor() == 0 && stat.rdevMinor() == 0;
    }

    private void apply(TarPath real, TarEntry entry) throws IOException {
        Fd directory = open(real);
        RawPath self = RawPath.of(".");
        Openat.chown(directory, self, entry.uid(), entry.gid());
        Openat.chmod(directory, self, entry.mode());
        Map<String, byte[]> xattrs = Attributes.set(entry,
                (name, value) -> Xattr.set(directory, self, name, value));
        Openat.setTimes(directory, self, entry.times());
        recorder.directory(real, entry, xattrs, opaque.contains(real), directory);
    }

    private void forget(TarPath real) {
        close();
        Predicate<TarPath> gone = other -> other.equals(real) || other.isBelow(real);
        attributes.keySet().removeIf(gone);
        implied.removeIf(gone);
        opaque.removeIf(gone);
        whiteouts.removeIf(gone);
    }

    private void remember(TarPath path, Opened directory) {
        open.put(path, directory);
        if (open.size() > OPEN_AT_ONCE) {
            Iterator<Opened> eldest = open.values().iterator();
            eldest.next().close();
            eldest.remove();
        }
    }
}
