package io.berth.imagestore.store;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.metadata.DirectoryAttributes;
import io.berth.imagestore.metadata.Layer;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.linux.Stat;
import io.berth.linux.Xattr;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Directories whose attributes overlayfs would show wrongly. A merged directory looks as in its topmost layer; where that
 * layer only implies it ({@code tmp/x} without {@code tmp/}), an image means it to stay as it is further down. Layers are
 * shared and never changed, so snapshots repeat such directories with the right attributes.
 */
final class EffectiveDirectories {
    private static final int OPEN = OpenFlags.O_PATH | OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW;
    private static final int IMPLIED_MODE = 0755;

    /** A layer and its directory. */
    record Level(Path path, Layer layer) {
        boolean implies(String directory) {
            // They are sorted, and there may be a hundred thousand.
            return Collections.binarySearch(layer.impliedDirectories(), directory) >= 0;
        }
    }

    private final List<Level> levels;
    private final IdentityHashMap<Level, Way> ways = new IdentityHashMap<>();

    /** @param levels topmost first */
    EffectiveDirectories(List<Level> levels) {
        this.levels = List.copyOf(levels);
    }

    /** What a snapshot must repeat, parents first; the root always where a layer describes it. */
    List<DirectoryAttributes> attributes() throws ImageException {
        Set<String> candidates = new TreeSet<>();
        candidates.add("");
        if (levels.size() > 1) {
            levels.forEach(level -> candidates.addAll(level.layer().impliedDirectories()));
        }
        Set<String> wanted = new TreeSet<>();
        try {
            for (String path : candidates) {
                if (isShownWrongly(path)) {
                    addWithParents(wanted, path);
                }
            }
            List<DirectoryAttributes> result = new ArrayList<>();
            for (String path : wanted) {
                Stat stat = described(path);
                result.add(stat == null
                        ? new DirectoryAttributes(path, IMPLIED_MODE, 0, 0, 0, 0)
                        : new DirectoryAttributes(path, stat.permissions(), stat.uid(), stat.gid(),
                                stat.modifiedSeconds(),
                                stat.modifiedNanos()));
            }
            return result;
        } catch (LinuxException e) {
            throw StoreDirectory.failure("cannot look into the layers of the image", e);
        }
    }

    private boolean isShownWrongly(String path) throws LinuxException {
        // The root of the merged tree is the snapshot's own directory, which no layer describes.
        if (!path.isEmpty()) {
            Level top = topmost(path);
            if (top == null || !top.implies(path)) {
                return false;
            }
        }
        Stat stat = described(path);
        return stat != null && (stat.permissions() != IMPLIED_MODE || stat.uid() != 0 || stat.gid() != 0);
    }

    private @Nullable Level topmost(String path) throws LinuxException {
        for (Level level : levels) {
            if (stat(level, path) != null) {
                return level;
            }
        }
        return null;
    }

    /** The attributes of the topmost layer that has an entry for {@code path} and is not hidden; null for none. */
    private @Nullable Stat described(String path) throws LinuxException {
        for (Level level : levels) {
            Stat stat = stat(level, path);
            if (stat != null && !stat.isDirectory()) {
                return null;
            }
            if (stat != null && !level.implies(path)) {
                return stat;
            }
            if (hidesBelow(level, path)) {
                return null;
            }
        }
        return null;
    }

    /** Whether {@code level} hides what lower layers have at {@code path}: by a file or opaque directory on the way. */
    private boolean hidesBelow(Level level, String path) throws LinuxException {
        Way way = ways.computeIfAbsent(level, key -> new Way());
        int end = way.turnTo(path);
        while (way.last() == Step.OPEN && end < path.length()) {
            int slash = path.indexOf('/', end + 1);
            end = slash < 0 ? path.length() : slash;
            way.add(end, step(level, path.substring(0, end)));
        }
        return way.last() == Step.HIDING;
    }

    private static Step step(Level level, String path) throws LinuxException {
        Stat stat = stat(level, path);
        if (stat == null) {
            return Step.ABSENT;
        }
        return stat.isDirectory() && !isOpaque(level, path) ? Step.OPEN : Step.HIDING;
    }

    /** What a layer has at one directory of a path. */
    private enum Step {
        OPEN, HIDING, ABSENT
    }

    /**
     * What is known of the way to the path that was asked for last. Paths come sorted, so the next shares most of it; without
     * this, a name of two thousand directories would be looked at two million times.
     */
    private static final class Way {
        private String path = "";
        private final List<Integer> ends = new ArrayList<>();
        private final List<Step> steps = new ArrayList<>();

        /** Forgets what does not lead to {@code other}; returns where in it the known part ends, -1 for none. */
        int turnTo(String other) {
            int common = 0;
            while (common < Math.min(path.length(), other.length())
                    && path.charAt(common) == other.charAt(common)) {
                common++;
            }
            while (!ends.isEmpty() && !leadsTo(ends.getLast(), common, other)) {
                ends.removeLast();
                steps.removeLast();
            }
            path = other;
            return ends.isEmpty() ? -1 : ends.getLast();
        }

        void add(int end, Step step) {
            ends.add(end);
            steps.add(step);
        }

        Step last() {
            return steps.isEmpty() ? Step.OPEN : steps.getLast();
        }

        private static boolean leadsTo(int end, int common, String other) {
            return end <= common && (end == other.length() || other.charAt(end) == '/');
        }
    }

    private static boolean isOpaque(Level level, String path) throws LinuxException {
        try (Fd root = Openat.open(RawPath.of(level.path()), OPEN);
                Fd directory = Openat.open(root, raw(path), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY, 0,
                        OpenFlags.RESOLVE_IN_ROOT | OpenFlags.RESOLVE_NO_SYMLINKS)) {
            byte[] value = Xattr.get(directory, "trusted.overlay.opaque");
            return value != null && value.length == 1 && value[0] == 'y';
        }
    }

    private static @Nullable Stat stat(Level level, String path) throws LinuxException {
        try (Fd root = Openat.open(RawPath.of(level.path()), OPEN);
                Fd file = Openat.open(root, raw(path), OpenFlags.O_PATH | OpenFlags.O_NOFOLLOW, 0,
                        OpenFlags.RESOLVE_IN_ROOT | OpenFlags.RESOLVE_NO_SYMLINKS)) {
            return Openat.stat(file);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR || e.errno() == Errno.ELOOP) {
                return null;
            }
            throw e;
        }
    }

    private static void addWithParents(Set<String> wanted, String path) {
        wanted.add("");
        for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
            wanted.add(path.substring(0, slash));
        }
        wanted.add(path);
    }

    /** Characters back to bytes; {@code .} for the root. */
    static RawPath raw(String path) {
        byte[] bytes = (path.isEmpty() ? "." : path).getBytes(StandardCharsets.ISO_8859_1);
        return RawPath.of(bytes, 0, bytes.length);
    }
}
