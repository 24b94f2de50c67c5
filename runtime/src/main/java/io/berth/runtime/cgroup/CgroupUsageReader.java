package io.berth.runtime.cgroup;

import io.berth.runtime.cgroup.CgroupUsage.Line;
import io.berth.runtime.cgroup.CgroupUsage.Psi;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** Reads what a cgroup uses from the files of its hierarchies. */
final class CgroupUsageReader {
    /** Version 1 shows "no limit" as the largest number of pages. */
    private static final long NO_LIMIT = 1L << 62;
    private static final String CRUN_SUBGROUP = "container";

    private final CgroupLayout layout;

    CgroupUsageReader(CgroupLayout layout) {
        this.layout = layout;
    }

    Optional<CgroupUsage> read(Path directory) {
        return layout.unifiedOnly() ? readV2(directory) : readV1(directory);
    }

    long oomKills(Path directory) {
        Path file = layout.unifiedOnly()
                ? v2(directory).resolve("memory.events")
                : v1("memory", directory).resolve("memory.oom_control");
        return CgroupFiles.value(CgroupFiles.table(file), "oom_kill").orElse(0);
    }

    private Optional<CgroupUsage> readV2(Path directory) {
        Path cgroup = v2(directory);
        if (!Files.isDirectory(cgroup)) {
            return Optional.empty();
        }
        Map<String, Long> stat = CgroupFiles.table(cgroup.resolve("memory.stat"));
        OptionalLong micros = CgroupFiles.value(CgroupFiles.table(cgroup.resolve("cpu.stat")), "usage_usec");
        OptionalLong usage = CgroupFiles.number(cgroup.resolve("memory.current"));
        OptionalLong limit = CgroupFiles.number(cgroup.resolve("memory.max"));
        OptionalLong workingSet = minus(usage, CgroupFiles.value(stat, "inactive_file"));
        OptionalLong swap = CgroupFiles.number(cgroup.resolve("memory.swap.current"));
        OptionalLong swapLimit = CgroupFiles.number(cgroup.resolve("memory.swap.max"));
        return Optional.of(new CgroupUsage(Instant.now(),
                micros.isPresent() ? OptionalLong.of(micros.getAsLong() * 1000) : micros, usage, workingSet,
                minus(limit, workingSet), CgroupFiles.value(stat, "anon"), CgroupFiles.value(stat, "pgfault"),
                CgroupFiles.value(stat, "pgmajfault"), limit, swap, minus(swapLimit, swap),
                CgroupFiles.number(cgroup.resolve("pids.current")), psi(cgroup, "cpu"), psi(cgroup, "memory"),
                psi(cgroup, "io")));
    }

    /** The numbers of version 1; pressure comes from version 2, where the container is in that, too. */
    private Optional<CgroupUsage> readV1(Path directory) {
        Path memory = v1("memory", directory);
        Path cpu = v1("cpuacct", directory);
        Path pids = v1("pids", directory);
        if (!Files.isDirectory(memory) && !Files.isDirectory(cpu) && !Files.isDirectory(pids)) {
            return Optional.empty();
        }
        Map<String, Long> stat = CgroupFiles.table(memory.resolve("memory.stat"));
        OptionalLong usage = CgroupFiles.number(memory.resolve("memory.usage_in_bytes"));
        OptionalLong limit = limit(memory.resolve("memory.limit_in_bytes"));
        OptionalLong workingSet = minus(usage, CgroupFiles.value(stat, "total_inactive_file"));
        OptionalLong swap = CgroupFiles.value(stat, "total_swap");
        OptionalLong swapLimit = minus(limit(memory.resolve("memory.memsw.limit_in_bytes")), limit);
        Path unified = layout.unified().map(root -> root.resolve(directory)).orElse(memory);
        return Optional.of(new CgroupUsage(Instant.now(), CgroupFiles.number(cpu.resolve("cpuacct.usage")),
                usage,
                workingSet, minus(limit, workingSet), CgroupFiles.value(stat, "total_rss"),
                CgroupFiles.value(stat, "total_pgfault"), CgroupFiles.value(stat, "total_pgmajfault"), limit,
                swap,
                minus(swapLimit, swap), CgroupFiles.number(pids.resolve("pids.current")), psi(unified, "cpu"),
                psi(unified, "memory"), psi(unified, "io")));
    }

    /** Where the limits and processes are: with the systemd driver crun puts both into a cgroup that it makes in the scope. */
    Path v2(Path directory) {
        Path cgroup = layout.unified().orElseThrow().resolve(directory);
        Path inner = cgroup.resolve(CRUN_SUBGROUP);
        return directory.toString().endsWith(".scope") && Files.isDirectory(inner) ? inner : cgroup;
    }

    /** Below a path that cannot exist where the controller is not mounted, so that its values are absent. */
    Path v1(String controller, Path directory) {
        Path mountPoint = layout.v1().get(controller);
        return mountPoint == null
                ? Path.of("/proc/self/no-" + controller + "-cgroup")
                : mountPoint.resolve(directory);
    }

    static OptionalLong limit(Path file) {
        OptionalLong limit = CgroupFiles.number(file);
        return limit.isPresent() && limit.getAsLong() >= NO_LIMIT ? OptionalLong.empty() : limit;
    }

    static OptionalLong minus(OptionalLong whole, OptionalLong part) {
        return whole.isPresent() && part.isPresent()
                ? OptionalLong.of(Math.max(0, whole.getAsLong() - part.getAsLong()))
                : OptionalLong.empty();
    }

    /** {@code some avg10=0.00 avg60=0.00 avg300=0.00 total=0} and the same for {@code full}. */
    private static Optional<Psi> psi(Path cgroup, String resource) {
        Map<String, Line> lines = new HashMap<>();
        CgroupFiles.text(cgroup.resolve(resource + ".pressure")).stream().flatMap(String::lines)
                .forEach(text -> {
                    Map<String, Double> values = new HashMap<>();
                    String[] fields = text.split(" ");
                    for (int i = 1; i < fields.length; i++) {
                        int equals = fields[i].indexOf('=');
                        values.put(fields[i].substring(0, equals),
                                Double.valueOf(fields[i].substring(equals + 1)));
                    }
                    lines.put(fields[0], new Line(values.getOrDefault("total", 0.0).longValue(),
                            values.getOrDefault("avg10", 0.0), values.getOrDefault("avg60", 0.0),
                            values.getOrDefault("avg300", 0.0)));
                });
        Line some = lines.get("some");
        if (some == null) {
            return Optional.empty();
        }
        // Older kernels have no "full" line for the CPU.
        return Optional.of(new Psi(some, lines.getOrDefault("full", new Line(0, 0, 0, 0))));
    }
}
