package io.berth.runtime.cgroup;

import io.berth.runtime.cgroup.CgroupDetail.Cpu;
import io.berth.runtime.cgroup.CgroupDetail.HugePages;
import io.berth.runtime.cgroup.CgroupDetail.Memory;
import io.berth.runtime.cgroup.CgroupDetail.Tasks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Stream;

/** Reads everything that the files of a cgroup tell. */
final class CgroupDetailReader {
    private static final long MICRO = 1000;
    /** The controllers that count or list processes, of which one is enough. */
    private static final List<String> PROCESS_CONTROLLERS = List.of("pids", "memory", "cpu", "name=systemd");

    private final CgroupLayout layout;
    private final CgroupUsageReader usages;

    CgroupDetailReader(CgroupLayout layout, CgroupUsageReader usages) {
        this.layout = layout;
        this.usages = usages;
    }

    Optional<CgroupDetail> read(Path directory) {
        return usages.read(directory).map(usage -> layout.unifiedOnly()
                ? readV2(directory, usage)
                : readV1(directory, usage));
    }

    /** The processes in a cgroup and below. A container is in each hierarchy, so one is read. */
    List<Long> pids(Path directory) throws IOException {
        Path root = PROCESS_CONTROLLERS.stream().filter(layout.v1()::containsKey).findFirst()
                .map(layout.v1()::get)
                .orElseGet(layout.hierarchies()::getFirst);
        Set<Long> pids = new LinkedHashSet<>();
        for (Path cgroup : CgroupFiles.tree(root.resolve(directory))) {
            pids.addAll(CgroupFiles.pids(cgroup));
        }
        return List.copyOf(pids);
    }

    private CgroupDetail readV2(Path directory, CgroupUsage usage) {
        Path cgroup = usages.v2(directory);
        return new CgroupDetail("/" + directory, usage, cpuV2(cgroup), memoryV2(cgroup),
                BlockIoFile.v2(cgroup), hugePages(cgroup, ".current"),
                tasks(directory, cgroup), usages.oomKills(directory));
    }

    private static Cpu cpuV2(Path cgroup) {
        Map<String, Long> stat = CgroupFiles.table(cgroup.resolve("cpu.stat"));
        String[] max = CgroupFiles.text(cgroup.resolve("cpu.max")).orElse("").split(" ");
        return new Cpu(micros(stat, "user_usec"), micros(stat, "system_usec"),
                CgroupFiles.value(stat, "nr_periods"),
                CgroupFiles.value(stat, "nr_throttled"), micros(stat, "throttled_usec"),
                CpuWeight.shares(CgroupFiles.number(cgroup.resolve("cpu.weight"))),
                CgroupFiles.parse(max[0]),
                max.length > 1 ? CgroupFiles.parse(max[1]) : OptionalLong.empty());
    }

    private static Memory memoryV2(Path cgroup) {
        Map<String, Long> stat = CgroupFiles.table(cgroup.resolve("memory.stat"));
        OptionalLong low = CgroupFiles.number(cgroup.resolve("memory.low"));
        // Version 2 counts page faults with those below only.
        return new Memory(CgroupFiles.value(stat, "file"), CgroupFiles.value(stat, "file_mapped"),
                CgroupFiles.value(stat, "kernel"), CgroupFiles.value(stat, "active_file"),
                CgroupFiles.value(stat, "inactive_file"), CgroupFiles.number(cgroup.resolve("memory.peak")),
                CgroupFiles.value(CgroupFiles.table(cgroup.resolve("memory.events")), "max"),
                low.orElse(0) == 0 ? OptionalLong.empty() : low,
                CgroupFiles.number(cgroup.resolve("memory.swap.max")), CgroupFiles.value(stat, "pgfault"),
                CgroupFiles.value(stat, "pgmajfault"));
    }

    private CgroupDetail readV1(Path directory, CgroupUsage usage) {
        return new CgroupDetail("/" + directory, usage, cpuV1(directory),
                memoryV1(usages.v1("memory", directory)),
                BlockIoFile.v1(usages.v1("blkio", directory)),
                hugePages(usages.v1("hugetlb", directory), ".usage_in_bytes"),
                tasks(directory, usages.v1("pids", directory)), usages.oomKills(directory));
    }

    private Cpu cpuV1(Path directory) {
        Path cpu = usages.v1("cpu", directory);
        Path account = usages.v1("cpuacct", directory);
        Map<String, Long> stat = CgroupFiles.table(cpu.resolve("cpu.stat"));
        OptionalLong quota = CgroupFiles.number(cpu.resolve("cpu.cfs_quota_us"));
        return new Cpu(CgroupFiles.number(account.resolve("cpuacct.usage_user")),
                CgroupFiles.number(account.resolve("cpuacct.usage_sys")),
                CgroupFiles.value(stat, "nr_periods"),
                CgroupFiles.value(stat, "nr_throttled"), CgroupFiles.value(stat, "throttled_time"),
                CgroupFiles.number(cpu.resolve("cpu.shares")),
                quota.orElse(-1) < 0 ? OptionalLong.empty() : quota,
                CgroupFiles.number(cpu.resolve("cpu.cfs_period_us")));
    }

    private static Memory memoryV1(Path memory) {
        Map<String, Long> stat = CgroupFiles.table(memory.resolve("memory.stat"));
        OptionalLong limit = CgroupUsageReader.limit(memory.resolve("memory.limit_in_bytes"));
        OptionalLong both = CgroupUsageReader.limit(memory.resolve("memory.memsw.limit_in_bytes"));
        return new Memory(CgroupFiles.value(stat, "total_cache"),
                CgroupFiles.value(stat, "total_mapped_file"),
                CgroupFiles.number(memory.resolve("memory.kmem.usage_in_bytes")),
                CgroupFiles.value(stat, "total_active_file"), CgroupFiles.value(stat, "total_inactive_file"),
                CgroupFiles.number(memory.resolve("memory.max_usage_in_bytes")),
                CgroupFiles.number(memory.resolve("memory.failcnt")),
                CgroupUsageReader.limit(memory.resolve("memory.soft_limit_in_bytes")),
                CgroupUsageReader.minus(both, limit),
                CgroupFiles.value(stat, "pgfault"), CgroupFiles.value(stat, "pgmajfault"));
    }

    private Tasks tasks(Path directory, Path cgroup) {
        List<Long> pids;
        try {
            pids = pids(directory);
        } catch (IOException e) {
            // Unreadable while it goes away; its other files then read as absent, too.
            pids = List.of();
        }
        return new Tasks(pids, CgroupFiles.number(cgroup.resolve("pids.current")),
                CgroupFiles.number(cgroup.resolve("pids.max")));
    }

    /** One for each page size of the machine; the files' names have the sizes. */
    private static List<HugePages> hugePages(Path cgroup, String suffix) {
        List<HugePages> all = new ArrayList<>();
        if (!Files.isDirectory(cgroup)) {
            return all;
        }
        try (Stream<Path> files = Files.list(cgroup)) {
            for (Path file : files.sorted().toList()) {
                String name = file.getFileName().toString();
                if (name.startsWith("hugetlb.") && name.endsWith(suffix) && !name.contains(".rsvd.")) {
                    String size = name.substring("hugetlb.".length(), name.length() - suffix.length());
                    CgroupFiles.number(file).ifPresent(used -> all.add(new HugePages(size, used,
                            CgroupFiles
                                    .number(cgroup.resolve("hugetlb." + size + ".max_usage_in_bytes")))));
                }
            }
        } catch (IOException e) {
            // Gone meanwhile: there is nothing to tell of.
            return List.of();
        }
        return all;
    }

    private static OptionalLong micros(Map<String, Long> table, String name) {
        OptionalLong micros = CgroupFiles.value(table, name);
        return micros.isPresent() ? OptionalLong.of(micros.getAsLong() * MICRO) : micros;
    }
}
