package io.berth.runtime.oci;

import io.berth.linux.MountInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A mount of this mount namespace, as far as events travel through it (mount_namespaces(7)).
 *
 * @param shared its mounts travel to its peers
 * @param slave its master's mounts travel to it
 */
record HostMount(Path mountPoint, boolean shared, boolean slave) {
    private static final Path MOUNTINFO = Path.of("/proc/self/mountinfo");

    /** The mount that holds {@code path}, which must be a real path. */
    static HostMount holding(Path path) throws OciException {
        try {
            return holding(path, MountInfo.parse(Files.readAllLines(MOUNTINFO)));
        } catch (IOException e) {
            throw new OciException(OciException.Kind.FAILED, "read " + MOUNTINFO + ": " + e.getMessage(), e);
        }
    }

    static HostMount holding(Path path, List<MountInfo> mounts) throws OciException {
        MountInfo best = null;
        for (MountInfo mount : mounts) {
            // A later mount on the same point covers the earlier one.
            if (path.startsWith(mount.mountPoint())
                    && (best == null
                            || mount.mountPoint().getNameCount() >= best.mountPoint().getNameCount())) {
                best = mount;
            }
        }
        if (best == null) {
            throw new OciException(OciException.Kind.FAILED, "no mount in " + MOUNTINFO + " holds " + path);
        }
        return new HostMount(best.mountPoint(), has(best, "shared:"), has(best, "master:"));
    }

    private static boolean has(MountInfo mount, String tag) {
        return mount.propagation().stream().anyMatch(field -> field.startsWith(tag));
    }
}
