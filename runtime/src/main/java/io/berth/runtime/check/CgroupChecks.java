package io.berth.runtime.check;

import io.berth.runtime.cgroup.CgroupLayout;
import io.berth.runtime.cgroup.Cgroups.Mode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** Control groups: the hierarchy, the controllers that limits need, the driver. */
record CgroupChecks(Node node) {
    private static final String AREA = "cgroups";
    private static final Set<String> NEEDED = Set.of("cpu", "memory", "pids");
    private static final Set<String> WANTED = Set.of("cpuset", "hugetlb");

    List<Finding> run() {
        CgroupLayout layout;
        Set<String> controllers;
        try {
            layout = CgroupLayout.detect(node.root());
            controllers = layout.controllers();
        } catch (IOException e) {
            return List.of(Finding.missing(AREA, "hierarchy", String.valueOf(e.getMessage()),
                    "mount -t cgroup2 none /sys/fs/cgroup, or boot with systemd"));
        }
        List<Finding> findings = new ArrayList<>();
        findings.add(hierarchy(layout));
        findings.add(controllers(controllers));
        boolean systemd = node.exists("/run/systemd/system") && node.read("/proc/1/comm").equals("systemd");
        findings.add(Finding.ok(AREA, "driver", systemd ? "systemd, which is PID 1" : "cgroupfs"));
        return findings;
    }

    private static Finding hierarchy(CgroupLayout layout) {
        return switch (layout.mode()) {
            case V2 -> Finding.ok(AREA, "hierarchy", "v2");
            case V1, HYBRID -> Finding.warning(AREA, "hierarchy",
                    layout.mode() == Mode.V1 ? "v1" : "v1 and v2 side by side (hybrid)",
                    "boot with systemd.unified_cgroup_hierarchy=1; kubelet will drop v1");
        };
    }

    private static Finding controllers(Set<String> present) {
        Set<String> lacking = new TreeSet<>(NEEDED);
        lacking.removeAll(present);
        Set<String> unwelcome = new TreeSet<>(WANTED);
        unwelcome.removeAll(present);
        String found = String.join(" ", new TreeSet<>(present));
        if (!lacking.isEmpty()) {
            return Finding.missing(AREA, "controllers", found + "; not " + String.join(" ", lacking),
                    "boot with cgroup_enable=" + String.join(",", lacking)
                            + ", and enable them in cgroup.subtree_control of the root");
        }
        return unwelcome.isEmpty()
                ? Finding.ok(AREA, "controllers", found)
                : Finding.warning(AREA, "controllers", found + "; not " + String.join(" ", unwelcome),
                        "limits of these are ignored; enable them in cgroup.subtree_control of the root, or in the kernel");
    }
}
