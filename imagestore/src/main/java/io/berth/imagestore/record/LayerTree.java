package io.berth.imagestore.record;

import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.linux.Stat;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A directory whose files are reached by their real paths; no link in it is ever followed. */
final class LayerTree implements AutoCloseable {
    private static final int OPEN_DIRECTORY = OpenFlags.O_PATH | OpenFlags.O_DIRECTORY
            | OpenFlags.O_NOFOLLOW;
    private static final int OPEN_FILE = OpenFlags.O_RDONLY | OpenFlags.O_NOFOLLOW | OpenFlags.O_NONBLOCK;
    private static final long CONTAINED = OpenFlags.RESOLVE_IN_ROOT | OpenFlags.RESOLVE_NO_SYMLINKS
            | OpenFlags.RESOLVE_NO_MAGICLINKS;

    private final Fd root;
    private String parentPath = "";
    private @Nullable Fd parent;

    LayerTree(Path root) throws LinuxException {
        this.root = Openat.open(RawPath.of(root), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY);
    }

    /** What is at {@code path}; null for nothing. */
    @Nullable
    Stat stat(String path) throws LinuxException {
        try {
            return Openat.stat(parentOf(path), nameOf(path));
        } catch (LinuxException e) {
            if (isAbsence(e)) {
                return null;
            }
            throw e;
        }
    }

    /** The directory that holds {@code path}, open until the next call; the root for itself. */
    Fd parentOf(String path) throws LinuxException {
        int slash = path.lastIndexOf('/');
        if (slash < 0) {
            return root;
        }
        String wanted = path.substring(0, slash);
        if (parent == null || !wanted.equals(parentPath)) {
            closeParent();
            parent = Openat.open(root, raw(wanted), OPEN_DIRECTORY, 0, CONTAINED);
            parentPath = wanted;
        }
        return parent;
    }

    /** The last component of {@code path}; {@code .} for the root. */
    static RawPath nameOf(String path) {
        return raw(path.isEmpty() ? "." : path.substring(path.lastIndexOf('/') + 1));
    }

    /** Opens the file {@code path} for reading. */
    Fd open(String path) throws LinuxException {
        return Openat.open(parentOf(path), nameOf(path), OPEN_FILE, 0);
    }

    /** Opens the directory {@code path} for listing. */
    Fd openDirectory(String path) throws LinuxException {
        return Openat.open(root, raw(path.isEmpty() ? "." : path), OpenFlags.O_RDONLY
                | OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW, 0, CONTAINED);
    }

    @Override
    public void close() {
        closeParent();
        root.close();
    }

    /** Whether the error says that there is nothing by this path. */
    static boolean isAbsence(LinuxException e) {
        return e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR || e.errno() == Errno.ELOOP;
    }

    /** Characters back to bytes. */
    private static RawPath raw(String characters) {
        byte[] bytes = characters.getBytes(StandardCharsets.ISO_8859_1);
        return RawPath.of(bytes, 0, bytes.length);
    }

    private void closeParent() {
        if (parent != null) {
            parent.close();
            parent = null;
        }
    }
}
