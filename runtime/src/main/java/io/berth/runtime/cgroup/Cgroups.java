package io.berth.runtime.cgroup;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The node's control groups (v1, hybrid or v2) under the driver in use (cgroupfs or systemd). */
public interface Cgroups {
    /** How the node mounts control groups. */
    enum Mode {
        V1, HYBRID, V2
    }

    /** Who makes cgroups. */
    enum Driver {
        CGROUPFS, SYSTEMD
    }

    Mode mode();

    Driver driver();

    /**
     * The cgroup of a pod below {@code parent} (the CRI {@code cgroup_parent}, a path for cgroupfs and a slice for systemd;
     * empty for Berth's own default). Makes it, with the pod's overhead limits left to kubelet.
     */
    PodCgroup createPod(String parent, String sandboxId) throws IOException;

    /** The same without making anything. */
    PodCgroup pod(String parent, String sandboxId);

    /** Removes what {@link #createPod} made, if empty; absent is success. Never touches {@code parent}. */
    void removePod(String parent, String sandboxId) throws IOException;

    /** Use of a container's cgroup; empty where it is gone. Reads files only. */
    Optional<CgroupUsage> usage(String cgroupsPath);

    /** Pids in a container's cgroup and below. */
    List<Long> processes(String cgroupsPath) throws IOException;

    /** Ends every process of a cgroup (cgroup.kill or signals) and removes it; absent is success. */
    void killAndRemove(String cgroupsPath) throws IOException;

    /** How many OOM kills the cgroup has had. */
    long oomKills(String cgroupsPath);

    /**
     * @param path the pod's own cgroup in the driver's form
     * @param procsFiles {@code cgroup.procs} of each hierarchy, for a process to enter
     */
    record PodCgroup(String path, List<Path> procsFiles) {
        /** The {@code linux.cgroupsPath} of a container in this pod. */
        public String containerPath(String containerId) {
            return path.contains(":") || path.endsWith(".slice")
                    ? path + ":berth:" + containerId
                    : path + "/" + containerId;
        }
    }
}
