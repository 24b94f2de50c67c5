package io.berth.runtime.cgroup;

import io.berth.runtime.cgroup.Cgroups.Driver;
import java.nio.file.Path;

/** Names of cgroups in a driver's form, and the directories that they mean below each hierarchy. */
final class CgroupPath {
    private static final String SLICE = ".slice";
    private static final String DEFAULT_PARENT = "berth";

    private CgroupPath() {}

    /**
     * The pod's cgroup. kubelet's {@code cgroup_parent} is already the pod's own, with its limits, and the containers lie
     * directly in it, as the field's tools expect; without one the pod gets a cgroup below Berth's.
     *
     * @throws IllegalArgumentException for a parent that is not of the driver's form
     */
    static String ofPod(Driver driver, String parent, String sandboxId) {
        return switch (driver) {
            case CGROUPFS -> parent.isEmpty() ? "/" + DEFAULT_PARENT + "/" + sandboxId : cgroupfs(parent);
            case SYSTEMD -> parent.isEmpty() ? DEFAULT_PARENT + "-" + sandboxId + SLICE : slice(parent);
        };
    }

    /** The directory of a pod or container, relative to a hierarchy's mount point. */
    static Path directory(String cgroupsPath) {
        String[] parts = cgroupsPath.split(":");
        if (parts.length == 3) {
            return expand(parts[0]).resolve(parts[1] + "-" + parts[2] + ".scope");
        }
        if (!cgroupsPath.startsWith("/") && cgroupsPath.endsWith(SLICE)) {
            return expand(cgroupsPath);
        }
        return Path.of("/").relativize(Path.of("/", cgroupsPath).normalize());
    }

    private static String cgroupfs(String parent) {
        if (parent.endsWith(SLICE)) {
            throw new IllegalArgumentException(
                    "cgroup_parent " + parent + " is a systemd slice, but berth uses the"
                            + " cgroupfs driver; set cgroup_driver to what kubelet uses");
        }
        if (("/" + parent + "/").contains("/../")) {
            throw new IllegalArgumentException("cgroup_parent " + parent + " must not contain \"..\"");
        }
        Path path = Path.of("/", parent).normalize();
        if (path.getNameCount() == 0) {
            throw new IllegalArgumentException(
                    "cgroup_parent " + parent + " is the root of all cgroups; a pod needs one"
                            + " below it");
        }
        return path.toString();
    }

    /** Of a path of slices only the last counts: its name has all of them. */
    private static String slice(String parent) {
        String name = parent.substring(parent.lastIndexOf('/') + 1);
        String stem = name.endsWith(SLICE) ? name.substring(0, name.length() - SLICE.length()) : "";
        if (stem.isEmpty() || stem.startsWith("-") || stem.endsWith("-") || stem.contains("--")
                || stem.contains(":")) {
            throw new IllegalArgumentException(
                    "cgroup_parent " + parent + " is not a systemd slice, but berth uses the"
                            + " systemd driver; set cgroup_driver to what kubelet uses");
        }
        return name;
    }

    /** {@code a-b-c.slice} lies in {@code a.slice/a-b.slice} (systemd.slice(5)). */
    private static Path expand(String slice) {
        String stem = slice.substring(0, slice.length() - SLICE.length());
        Path path = Path.of("");
        for (int dash = stem.indexOf('-'); dash >= 0; dash = stem.indexOf('-', dash + 1)) {
            path = path.resolve(stem.substring(0, dash) + SLICE);
        }
        return path.resolve(slice);
    }
}
