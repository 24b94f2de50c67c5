package io.berth.runtime.cgroup;

import io.berth.linux.MountInfo;
import io.berth.runtime.cgroup.Cgroups.Mode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Where the control group hierarchies are mounted (cgroups(7)).
 *
 * @param v1 mount points of version 1 hierarchies by controller; one with a name only is {@code name=systemd}
 * @param unified mount point of the version 2 hierarchy
 */
public record CgroupLayout(Map<String, Path> v1, Optional<Path> unified) {
    private static final Set<String> FLAGS = Set.of("rw", "ro", "xattr", "noprefix", "clone_children", "none",
            "cpuset_v2_mode", "favordynmods");

    public CgroupLayout {
        v1 = Map.copyOf(v1);
    }

    /**
     * Reads {@code proc/self/mountinfo} below {@code root}, which is {@code /} but for tests.
     *
     * @throws IOException where it cannot be read or no hierarchy is mounted
     */
    public static CgroupLayout detect(Path root) throws IOException {
        Map<String, Path> v1 = new LinkedHashMap<>();
        Optional<Path> unified = Optional.empty();
        for (MountInfo mount : MountInfo.parse(Files.readAllLines(root.resolve("proc/self/mountinfo")))) {
            Path mountPoint = root.resolve(Path.of("/").relativize(mount.mountPoint()));
            if (mount.type().equals("cgroup2") && unified.isEmpty()) {
                unified = Optional.of(mountPoint);
            } else if (mount.type().equals("cgroup")) {
                for (String controller : controllersOf(mount.superOptions())) {
                    v1.putIfAbsent(controller, mountPoint);
                }
            }
        }
        if (v1.isEmpty() && unified.isEmpty()) {
            throw new IOException("no cgroup hierarchy is mounted: mount cgroup2 on /sys/fs/cgroup");
        }
        return new CgroupLayout(v1, unified);
    }

    /** Of the superblock's options those that are controllers. */
    private static List<String> controllersOf(List<String> options) {
        return options.stream()
                .filter(option -> !FLAGS.contains(option) && !option.startsWith("release_agent="))
                .toList();
    }

    public Mode mode() {
        if (v1.isEmpty()) {
            return Mode.V2;
        }
        return unified.isPresent() ? Mode.HYBRID : Mode.V1;
    }

    /** Whether version 2 is all there is. */
    public boolean unifiedOnly() {
        return mode() == Mode.V2;
    }

    /** Every mount point once; an OCI runtime puts a container into each of them. */
    public List<Path> hierarchies() {
        Set<Path> all = new LinkedHashSet<>(v1.values());
        unified.ifPresent(all::add);
        return List.copyOf(all);
    }

    /**
     * The controllers that OCI runtimes use here: version 2's only where it is alone, as neither runc nor crun mix
     * versions.
     */
    public Set<String> controllers() throws IOException {
        if (!unifiedOnly()) {
            Set<String> names = new LinkedHashSet<>(v1.keySet());
            names.removeIf(name -> name.startsWith("name="));
            return names;
        }
        return Set.of(
                CgroupFiles.text(unified.orElseThrow().resolve("cgroup.controllers")).orElse("").split(" "));
    }

    /** Whether swap can be limited. Version 2 shows its file in any cgroup but the root. */
    public boolean swapAccounting() throws IOException {
        if (!unifiedOnly()) {
            return v1.containsKey("memory")
                    && Files.exists(v1.get("memory").resolve("memory.memsw.limit_in_bytes"));
        }
        try (Stream<Path> children = Files.list(unified.orElseThrow())) {
            return children.anyMatch(child -> Files.exists(child.resolve("memory.swap.max")));
        }
    }
}
