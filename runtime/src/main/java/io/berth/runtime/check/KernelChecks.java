package io.berth.runtime.check;

import io.berth.runtime.check.KernelProbes.Answer;
import io.berth.runtime.oci.KernelVersion;
import java.util.ArrayList;
import java.util.List;

/** The kernel and its security modules. */
record KernelChecks(Node node, KernelProbes probes) {
    private static final String AREA = "kernel";
    private static final String NEWER = "boot a kernel of at least 5.12 (Debian 11, Ubuntu 22.04, RHEL 9 and later have one)";
    private static final String AS_ROOT = "run berth check as root, outside a container";

    List<Finding> run() {
        List<Finding> findings = new ArrayList<>();
        findings.add(version());
        findings.add(probe("overlayfs", probes.overlayfs(), true,
                "modprobe overlay, and name it in /etc/modules-load.d/berth.conf"));
        findings.add(probe("openat2", probes.openat2(), true, NEWER));
        findings.add(probe("pidfd", probes.pidfd(), true, NEWER));
        findings.add(probe("mount API", probes.mountAttributes(), false,
                NEWER + "; until then no recursive read-only and no id-mapped mounts"));
        findings.add(seccomp());
        findings.add(userNamespaces());
        findings.add(securityModule());
        return findings;
    }

    private Finding version() {
        String release = node.read("/proc/sys/kernel/osrelease");
        try {
            return KernelVersion.parse(release).atLeast(5, 12)
                    ? Finding.ok(AREA, "version", release)
                    : Finding.warning(AREA, "version", release, NEWER);
        } catch (IllegalArgumentException e) {
            return Finding.missing(AREA, "version", "/proc/sys/kernel/osrelease says \"" + release + "\"",
                    "mount /proc");
        }
    }

    private static Finding probe(String name, Answer answer, boolean needed, String remedy) {
        return switch (answer) {
            case YES -> Finding.ok(AREA, name, "works");
            case FORBIDDEN -> Finding.warning(AREA, name, "not permitted to this process", AS_ROOT);
            case NO -> needed
                    ? Finding.missing(AREA, name, "the kernel does not have it", remedy)
                    : Finding.warning(AREA, name, "the kernel does not have it", remedy);
        };
    }

    private Finding seccomp() {
        return node.exists("/proc/sys/kernel/seccomp/actions_avail")
                ? Finding.ok(AREA, "seccomp", "filters work")
                : Finding.warning(AREA, "seccomp", "the kernel has no seccomp filters",
                        "boot a kernel with CONFIG_SECCOMP_FILTER; until then pods with a seccomp profile are refused");
    }

    private Finding userNamespaces() {
        String max = node.read("/proc/sys/user/max_user_namespaces");
        if (max.isEmpty()) {
            return Finding.warning(AREA, "user namespaces", "the kernel has none",
                    "boot a kernel with CONFIG_USER_NS; until then pods with hostUsers: false are refused");
        }
        return max.equals("0")
                ? Finding.warning(AREA, "user namespaces", "switched off",
                        "sysctl -w user.max_user_namespaces=15000; until then pods with hostUsers: false are refused")
                : Finding.ok(AREA, "user namespaces", "up to " + max);
    }

    /** Neither is needed; a pod that names a profile is refused where its module is off. */
    private Finding securityModule() {
        List<String> on = new ArrayList<>();
        if (node.read("/sys/module/apparmor/parameters/enabled").startsWith("Y")) {
            on.add("AppArmor");
        }
        if (node.exists("/sys/fs/selinux/enforce")) {
            on.add(node.read("/sys/fs/selinux/enforce").equals("1")
                    ? "SELinux (enforcing)"
                    : "SELinux (permissive)");
        }
        return Finding.ok(AREA, "AppArmor, SELinux", on.isEmpty() ? "none is on" : String.join(", ", on));
    }
}
