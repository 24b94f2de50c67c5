package io.berth.runtime.oci;

import java.util.Set;

/**
 * What this kernel and this daemon's process allow, read once at start.
 *
 * @param capabilities names ({@code CAP_CHOWN}) in the daemon's bounding set: the most that a container can get
 * @param oomScoreAdj the daemon's own, the least that a container can get without CAP_SYS_RESOURCE
 */
public record HostFacts(Set<String> capabilities, boolean sysResource, int oomScoreAdj, boolean seccomp,
        boolean appArmor, boolean seLinux, boolean cgroupV2, boolean swapAccounting,
        boolean userNamespaces) {}
