package io.berth.runtime.cgroup;

import io.berth.cri.v1.LinuxContainerResources;
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
     * Makes the cgroup of a pod: {@code parent} itself (the CRI {@code cgroup_parent}, which kubelet makes for the pod and
     * limits; a path for cgroupfs and a slice for systemd), or one below Berth's own where {@code parent} is empty.
     *
     * @throws IllegalArgumentException for a parent that is not of the driver's form
     */
    PodCgroup createPod(String parent, String sandboxId) throws IOException;

    /** The same without making anything. */
    PodCgroup pod(String parent, String sandboxId);

    /** Removes what {@link #createPod} made, if empty; absent is success. Never removes a {@code parent} that was named. */
    void removePod(String parent, String sandboxId) throws IOException;

    /**
     * Says that a process will enter a cgroup in some 10 ms, for the kernel to prepare. Costs nothing and fails never; to be
     * called before other work.
     */
    default void expectEntry() {}

    /** Use of a container's or pod's cgroup; empty where it is gone. Reads files only. */
    Optional<CgroupUsage> usage(String cgroupsPath);

    /** Everything that the kernel tells of a container's or pod's cgroup; empty where it is gone. Reads files only. */
    Optional<CgroupDetail> detail(String cgroupsPath);

    /** How many processes are in a cgroup and below. */
    long processCount(String cgroupsPath) throws IOException;

    /**
     * Sets the limits that {@code limits} names; zero and empty leave a limit as it is, -1 takes it away. Its values have been
     * checked; a process's own ({@code oom_score_adj}) is not looked at.
     *
     * @throws IOException naming the file that cannot be written, such as a memory limit below what is in use
     */
    void limit(String cgroupsPath, LinuxContainerResources limits) throws IOException;

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
