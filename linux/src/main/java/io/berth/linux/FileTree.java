package io.berth.linux;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Directories with all that is below them, whatever bytes are in the names and however deep they go. Symbolic links are
 * never followed.
 */
public final class FileTree {
    /** Directories open at one time; what is deeper is first moved up. */
    private static final int MAX_DEPTH = 128;
    private static final int MAX_MEASURED_DEPTH = 4096;
    /** What a level of those keeps of its listing: small, for there may be thousands. */
    private static final int MEASURED_BYTES = 4 << 10;
    private static final int OPEN_DIRECTORY = OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY
            | OpenFlags.O_NOFOLLOW;

    /** A name in a directory; {@code directory} is its type as the listing has it. */
    public record Entry(RawPath name, boolean directory) {}

    /** Disk use: bytes in whole blocks, and files of any type; what has many names counts once. */
    public record Size(long bytes, long inodes) {}

    private FileTree() {}

    /**
     * All that is in {@code directory}, which must be open for reading; no {@code .} and {@code ..}. For directories that nobody
     * can fill; others have {@link DirectoryListing}.
     */
    public static List<Entry> list(Fd directory) throws LinuxException {
        List<Entry> entries = new ArrayList<>();
        DirectoryListing listing = new DirectoryListing(directory);
        for (Entry entry; (entry = listing.next()) != null;) {
            entries.add(entry);
        }
        return entries;
    }

    /**
     * Deletes {@code name} in {@code parent}, with all below it where it is a directory. Absent is success.
     *
     * @return how many names were deleted
     */
    public static long delete(Fd parent, RawPath name) throws LinuxException {
        Stat stat = Openat.stat(parent, name);
        if (stat == null) {
            return 0;
        }
        if (!stat.isDirectory()) {
            Openat.unlink(parent, name);
            return 1;
        }
        long deleted = 0;
        // A round empties the directory; only a tree deeper than MAX_DEPTH needs more than one.
        for (long round = 1; round > 0; deleted += round) {
            try (Fd top = Openat.open(parent, name, OPEN_DIRECTORY, 0)) {
                round = empty(top, top, 1);
            }
        }
        Openat.rmdir(parent, name);
        return deleted + 1;
    }

    /**
     * Disk use of {@code path} and all below it on its file system, to a depth of {@value #MAX_MEASURED_DEPTH}. Files that
     * vanish meanwhile are left out.
     */
    public static Size measure(RawPath path) throws LinuxException {
        try (Fd top = Openat.open(path, OPEN_DIRECTORY)) {
            Stat root = Openat.stat(top);
            Measure measure = new Measure(root);
            walk(top, (directory, entry) -> {
                Stat stat = Openat.stat(directory, entry.name());
                return stat != null && measure.count(stat) && stat.isDirectory()
                        && stat.device() == root.device();
            });
            return new Size(measure.bytes, measure.inodes);
        }
    }

    /**
     * Sets an extended attribute of {@code path}, which is not followed where it is a symbolic link, and of all below it, to a
     * depth of {@value #MAX_MEASURED_DEPTH}. Files that vanish meanwhile are left out.
     */
    public static void setAttribute(RawPath path, String attribute, byte[] value) throws LinuxException {
        Xattr.set(path, attribute, value);
        Fd top;
        try {
            top = Openat.open(path, OPEN_DIRECTORY);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOTDIR || e.errno() == Errno.ELOOP) {
                return;
            }
            throw e;
        }
        walk(top, (directory, entry) -> setAttribute(directory, entry.name(), attribute, value)
                && entry.directory());
    }

    /** Looks at one name of a directory. */
    private interface Visitor {
        /** Whether it is a directory to be walked, too. */
        boolean visit(Fd directory, Entry entry) throws LinuxException;
    }

    /** Shows all that is below {@code top}, and closes that. */
    private static void walk(Fd top, Visitor visitor) throws LinuxException {
        Deque<Level> levels = new ArrayDeque<>();
        levels.push(Level.of(top));
        try {
            while (!levels.isEmpty()) {
                Level level = levels.element();
                Entry entry = level.entries.next();
                if (entry == null) {
                    levels.pop().directory.close();
                } else if (visitor.visit(level.directory, entry) && levels.size() < MAX_MEASURED_DEPTH) {
                    descend(levels, level.directory, entry.name());
                }
            }
        } finally {
            levels.forEach(level -> level.directory.close());
        }
    }

    /** False where there is no such file any more. */
    private static boolean setAttribute(Fd directory, RawPath name, String attribute, byte[] value)
            throws LinuxException {
        try {
            Xattr.set(directory, name, attribute, value);
            return true;
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                return false;
            }
            throw e;
        }
    }

    /** An open directory and what of it is still to be looked at. */
    private record Level(Fd directory, DirectoryListing entries) {
        static Level of(Fd directory) {
            return new Level(directory, new DirectoryListing(directory, MEASURED_BYTES));
        }
    }

    private static final class Measure {
        private final Set<Long> linked = new HashSet<>();
        private long bytes;
        private long inodes;

        Measure(Stat top) {
            count(top);
        }

        /** Whether it was not counted before under another name. */
        boolean count(Stat stat) {
            if (stat.links() > 1 && !stat.isDirectory() && !linked.add(stat.inode())) {
                return false;
            }
            bytes += stat.blocks() * 512;
            inodes++;
            return true;
        }
    }

    private static void descend(Deque<Level> levels, Fd directory, RawPath name) throws LinuxException {
        try {
            levels.push(Level.of(Openat.open(directory, name, OPEN_DIRECTORY, 0)));
        } catch (LinuxException e) {
            if (e.errno() != Errno.ENOENT && e.errno() != Errno.ENOTDIR && e.errno() != Errno.ELOOP) {
                throw e;
            }
        }
    }

    private static long empty(Fd top, Fd directory, int depth) throws LinuxException {
        long deleted = 0;
        DirectoryListing listing = new DirectoryListing(directory);
        for (Entry entry; (entry = listing.next()) != null;) {
            if (!entry.directory()) {
                Openat.unlink(directory, entry.name());
            } else if (depth == MAX_DEPTH) {
                moveUp(top, directory, entry.name());
                continue;
            } else {
                try (Fd child = Openat.open(directory, entry.name(), OPEN_DIRECTORY, 0)) {
                    deleted += empty(top, child, depth + 1);
                }
                Openat.rmdir(directory, entry.name());
            }
            deleted++;
        }
        return deleted;
    }

    private static void moveUp(Fd top, Fd directory, RawPath name) throws LinuxException {
        for (int i = 0;; i++) {
            try {
                Openat.rename(directory, name, top, RawPath.of(".deep-" + i), Openat.RENAME_NOREPLACE);
                return;
            } catch (LinuxException e) {
                if (e.errno() != Errno.EEXIST) {
                    throw e;
                }
            }
        }
    }
}
