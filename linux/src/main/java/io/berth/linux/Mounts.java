package io.berth.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Mount points of the calling thread's mount namespace. For layered and id-mapped mounts see {@link DetachedMount}. */
public final class Mounts {
    private static final int MNT_DETACH = 2;
    private static final int UMOUNT_NOFOLLOW = 8;
    private static final int AT_SYMLINK_NOFOLLOW = 0x100;
    private static final int AT_NO_AUTOMOUNT = 0x800;
    private static final int STATX_SIZE = 256;
    private static final int STATX_ATTRIBUTES = 8;
    private static final long STATX_ATTR_MOUNT_ROOT = 0x2000;

    static {
        Native.register(Mounts.class, "c");
    }

    private Mounts() {}

    /**
     * {@code mount(2)}.
     *
     * @param source device or directory; null where the file system has none
     * @param type null for flags such as BIND and REMOUNT that take none
     * @param data the file system's own options, comma-separated; at most a page (4095 bytes), or the kernel cuts it
     * @throws IllegalArgumentException where {@code data} is longer than the kernel reads
     */
    public static void mount(@Nullable String source, Path target, @Nullable String type,
            Set<MountFlag> flags,
            @Nullable String data) throws LinuxException {
        byte @Nullable [] options = data == null ? null : SystemCalls.cString(data);
        if (options != null && options.length > 4096) {
            throw new IllegalArgumentException("mount options of " + target + " are longer than a page: "
                    + options.length + " bytes");
        }
        int result = mount(source == null ? null : SystemCalls.cString(source), SystemCalls.cString(target),
                type == null ? null : SystemCalls.cString(type), MountFlag.bits(flags), options);
        if (result != 0) {
            throw SystemCalls.failure("mount", described(source, target, type));
        }
    }

    /** Mounts a new tmpfs; {@code options} such as {@code mode=1777,size=65536k}. */
    public static void tmpfs(Path target, Set<MountFlag> flags, String options) throws LinuxException {
        mount("tmpfs", target, "tmpfs", flags, options);
    }

    /**
     * Makes {@code source} visible at {@code target}, with all mounts below it where {@code recursive}. Both must exist and
     * be of one kind (file or directory).
     */
    public static void bind(Path source, Path target, boolean recursive) throws LinuxException {
        EnumSet<MountFlag> flags = EnumSet.of(MountFlag.BIND);
        if (recursive) {
            flags.add(MountFlag.RECURSIVE);
        }
        mount(source.toString(), target, null, flags, null);
    }

    /** Makes an existing mount read-only, keeping its other restrictions as {@code flags} name them. */
    public static void remountReadOnly(Path target, Set<MountFlag> flags) throws LinuxException {
        EnumSet<MountFlag> all = EnumSet.of(MountFlag.REMOUNT, MountFlag.BIND, MountFlag.READ_ONLY);
        all.addAll(flags);
        mount(null, target, null, all, null);
    }

    /** Stops mount events from passing in or out of {@code target}, and of all below it where {@code recursive}. */
    public static void makePrivate(Path target, boolean recursive) throws LinuxException {
        setPropagation(target, MountFlag.PRIVATE, recursive);
    }

    /**
     * Sets how mount events pass.
     *
     * @param propagation PRIVATE, SLAVE, SHARED or UNBINDABLE
     */
    public static void setPropagation(Path target, MountFlag propagation, boolean recursive)
            throws LinuxException {
        EnumSet<MountFlag> flags = EnumSet.of(propagation);
        if (recursive) {
            flags.add(MountFlag.RECURSIVE);
        }
        mount(null, target, null, flags, null);
    }

    /**
     * Unmounts the topmost mount at {@code target}, which is never followed if it is a symlink.
     *
     * @param detach take it out of the tree now and let its last user free it (a lazy unmount), instead of failing with
     *        EBUSY
     */
    public static void unmount(Path target, boolean detach) throws LinuxException {
        if (umount2(SystemCalls.cString(target), UMOUNT_NOFOLLOW | (detach ? MNT_DETACH : 0)) != 0) {
            throw SystemCalls.failure("umount", target);
        }
    }

    /**
     * Lazily unmounts everything that is stacked at {@code target}.
     *
     * @return whether anything was mounted there; a path that does not exist has nothing mounted
     */
    public static boolean unmountAll(Path target) throws LinuxException {
        for (int count = 0;; count++) {
            try {
                unmount(target, true);
            } catch (LinuxException e) {
                if (e.errno() == Errno.EINVAL || e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR) {
                    return count > 0;
                }
                throw e;
            }
        }
    }

    /**
     * Whether {@code path} itself (a symlink is not followed) is the root of a mount; false where it does not exist. One
     * system call, however many mounts there are. Needs Linux 5.8.
     */
    public static boolean isMountPoint(Path path) throws LinuxException {
        try (Memory statx = new Memory(STATX_SIZE)) {
            if (statx(SystemCalls.AT_FDCWD, SystemCalls.cString(path), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                    0,
                    statx) != 0) {
                LinuxException e = SystemCalls.failure("statx", path);
                if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR) {
                    return false;
                }
                throw e;
            }
            return (statx.getLong(STATX_ATTRIBUTES) & STATX_ATTR_MOUNT_ROOT) != 0;
        }
    }

    /** All mounts of the calling thread's mount namespace, in the kernel's order: a later one covers an earlier one. */
    public static List<MountInfo> list() throws IOException {
        return MountInfo.parse(Files.readAllLines(Path.of("/proc/thread-self/mountinfo")));
    }

    private static String described(@Nullable String source, Path target, @Nullable String type) {
        StringBuilder text = new StringBuilder();
        if (type != null) {
            text.append(type).append(' ');
        } else if (source != null) {
            text.append(source).append(' ');
        }
        return text.append("at ").append(target).toString();
    }

    private static native int mount(byte @Nullable [] source, byte[] target, byte @Nullable [] type,
            long flags,
            byte @Nullable [] data);

    private static native int umount2(byte[] target, int flags);

    private static native int statx(int directory, byte[] path, int flags, int mask, Memory buffer);
}
