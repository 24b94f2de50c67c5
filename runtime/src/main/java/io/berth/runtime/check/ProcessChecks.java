package io.berth.runtime.check;

import io.berth.linux.Capability;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What this process may do, which is what a daemon started from here could.
 *
 * @param root whether it is root
 * @param capabilities its effective ones
 */
record ProcessChecks(boolean root, Set<Capability> capabilities) {
    private static final String AREA = "process";
    private static final Set<Capability> NEEDED = Set.of(Capability.CAP_SYS_ADMIN, Capability.CAP_NET_ADMIN,
            Capability.CAP_CHOWN, Capability.CAP_DAC_OVERRIDE, Capability.CAP_FOWNER, Capability.CAP_FSETID,
            Capability.CAP_KILL, Capability.CAP_MKNOD, Capability.CAP_SETFCAP, Capability.CAP_SETGID,
            Capability.CAP_SETUID, Capability.CAP_SETPCAP, Capability.CAP_SYS_CHROOT,
            Capability.CAP_SYS_PTRACE);

    List<Finding> run() {
        if (!root) {
            return List.of(Finding.missing(AREA, "root", "this is not root",
                    "sudo berth check; berth daemon runs as root"));
        }
        List<Finding> findings = new ArrayList<>();
        findings.add(Finding.ok(AREA, "root", "yes"));
        Set<Capability> lacking = new TreeSet<>(NEEDED);
        lacking.removeAll(capabilities);
        findings.add(lacking.isEmpty()
                ? Finding.ok(AREA, "capabilities", capabilities.size() + " of " + Capability.values().length)
                : Finding.missing(AREA, "capabilities", "not " + names(lacking),
                        "start berth outside a container, or give its container these"));
        if (!capabilities.contains(Capability.CAP_SYS_RESOURCE)) {
            findings.add(Finding.warning(AREA, "CAP_SYS_RESOURCE", "not there",
                    "start berth with it; until then resource limits of containers are capped at the daemon's own, and"
                            + " their oom_score_adj is at least the daemon's"));
        }
        return findings;
    }

    private static String names(Set<Capability> capabilities) {
        return String.join(" ", capabilities.stream().map(Enum::name).toList());
    }
}
