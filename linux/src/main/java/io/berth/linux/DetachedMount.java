package io.berth.linux;

import com.sun.jna.Memory;
import java.nio.file.Path;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A mount that is attached nowhere yet: a new file system's ({@link FilesystemContext#mount}) or a clone of an existing tree
 * ({@link #cloneOf}). It goes away with its descriptor unless {@link #attach} was called.
 */
public final class DetachedMount implements AutoCloseable {
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int AT_RECURSIVE = 0x8000;
    private static final int AT_SYMLINK_NOFOLLOW = 0x100;
    private static final int OPEN_TREE_CLONE = 1;
    private static final int OPEN_TREE_CLOEXEC = 0x80000;
    private static final int MOVE_MOUNT_F_EMPTY_PATH = 4;
    private static final long MOUNT_ATTR_IDMAP = 0x100000;

    private final Fd fd;
    private final String name;

    DetachedMount(Fd fd, String name) {
        this.fd = fd;
        this.name = name;
    }

    /** Clones the mount at {@code path} (a symlink there is not followed), with those below it where {@code recursive}. */
    public static DetachedMount cloneOf(Path path, boolean recursive) throws LinuxException {
        try (Memory memory = FilesystemContext.memory(path.toString())) {
            long fd = SystemCalls.syscall(SystemCalls.OPEN_TREE, SystemCalls.AT_FDCWD,
                    FilesystemContext.address(memory),
                    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW
                            | (recursive ? AT_RECURSIVE : 0),
                    0, 0,
                    0);
            if (fd < 0) {
                throw SystemCalls.failure("open_tree", path);
            }
            return new DetachedMount(new Fd((int) fd), path.toString());
        }
    }

    /** Sets and clears attributes, of all mounts below too where {@code recursive}: all of them or none. */
    public void setAttributes(Set<MountAttribute> set, Set<MountAttribute> clear, boolean recursive)
            throws LinuxException {
        setAttributes(MountAttribute.bits(set), MountAttribute.bits(clear), null, recursive);
    }

    /**
     * Shows every owner as mapped by {@code userNamespace} (an id-mapped mount; the file system must support it, EINVAL where it
     * does not).
     *
     * @param userNamespace an open user namespace file with its maps written
     */
    public void mapIds(Fd userNamespace, boolean recursive) throws LinuxException {
        setAttributes(MOUNT_ATTR_IDMAP, 0, userNamespace, recursive);
    }

    /** Attaches the mount at {@code target}, an existing directory (or file, for a clone of a file). */
    public void attach(Path target) throws LinuxException {
        try (Memory empty = FilesystemContext.memory("");
                Memory to = FilesystemContext.memory(target.toString())) {
            long result = SystemCalls.syscall(SystemCalls.MOVE_MOUNT, fd.number(),
                    FilesystemContext.address(empty),
                    SystemCalls.AT_FDCWD, FilesystemContext.address(to), MOVE_MOUNT_F_EMPTY_PATH, 0);
            if (result != 0) {
                throw SystemCalls.failure("move_mount", name + " at " + target);
            }
        }
    }

    /** The mount's directory, for calls relative to it before it is attached. */
    public Fd fd() {
        return fd;
    }

    @Override
    public void close() {
        fd.close();
    }

    private void setAttributes(long set, long clear, @Nullable Fd userNamespace, boolean recursive)
            throws LinuxException {
        // struct mount_attr: attr_set, attr_clr, propagation, userns_fd; 64 bits each.
        try (Memory empty = FilesystemContext.memory(""); Memory attr = new Memory(32)) {
            attr.setLong(0, set);
            attr.setLong(8, clear);
            attr.setLong(16, 0);
            attr.setLong(24, userNamespace == null ? 0 : userNamespace.number());
            long result = SystemCalls.syscall(SystemCalls.MOUNT_SETATTR, fd.number(),
                    FilesystemContext.address(empty), AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0),
                    FilesystemContext.address(attr), attr.size(), 0);
            if (result != 0) {
                throw SystemCalls.failure("mount_setattr", name);
            }
        }
    }
}
