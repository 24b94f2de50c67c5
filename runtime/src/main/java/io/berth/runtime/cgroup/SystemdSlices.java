package io.berth.runtime.cgroup;

import io.berth.cri.v1.LinuxContainerResources;
import io.berth.linux.ChildProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Slices that Berth has systemd make, for their limits: what is written to the files of a slice past systemd is overwritten with
 * what that knows as soon as it starts a scope there, and on version 2 it gives a slice no controllers that nothing asks for.
 */
final class SystemdSlices {
    private static final List<String> PROGRAMS = List.of("/usr/bin/systemctl", "/bin/systemctl");
    private static final Path PROPERTIES = Path.of("/run/systemd/system.control");
    private static final Duration DEADLINE = Duration.ofSeconds(60);
    private static final int OUTPUT_BYTES = 4096;
    private static final long DEFAULT_PERIOD_MICROS = 100_000;
    private static final double PERCENT = 100.0;

    private SystemdSlices() {}

    /** Sets those of {@code limits} that are a unit's properties, and makes the slice where it is not there. */
    static void limit(String slice, LinuxContainerResources limits) throws IOException {
        List<String> properties = properties(limits);
        if (!properties.isEmpty()) {
            // For a slice that is not there yet they are kept until it is.
            List<String> command = new ArrayList<>(List.of("set-property", "--runtime", slice));
            command.addAll(properties);
            systemctl(command);
        }
        systemctl(List.of("start", slice));
    }

    /** Ends a slice, which systemd would keep for ever once it had a scope in it, and forgets its limits. */
    static void remove(String slice) throws IOException {
        systemctl(List.of("stop", slice));
        try (Stream<Path> files = Files.walk(PROPERTIES.resolve(slice + ".d"))) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (NoSuchFileException e) {
            // It had none.
            return;
        }
    }

    /** As systemd.resource-control(5) has them. */
    static List<String> properties(LinuxContainerResources limits) {
        List<String> all = new ArrayList<>();
        if (limits.getCpuShares() > 0) {
            all.add("CPUWeight=" + CpuWeight.ofShares(limits.getCpuShares()));
        }
        if (limits.getCpuPeriod() > 0) {
            all.add("CPUQuotaPeriodSec=" + limits.getCpuPeriod() + "us");
        }
        if (limits.getCpuQuota() != 0) {
            all.add("CPUQuota=" + percent(limits));
        }
        add(all, "AllowedCPUs", limits.getCpusetCpus());
        add(all, "AllowedMemoryNodes", limits.getCpusetMems());
        if (limits.getMemoryLimitInBytes() != 0) {
            all.add("MemoryMax=" + bytes(limits.getMemoryLimitInBytes()));
        }
        if (limits.getMemorySwapLimitInBytes() != 0) {
            all.add("MemorySwapMax=" + bytes(CgroupLimiter.swapAlone(limits)));
        }
        limits.getUnifiedMap().forEach((file, value) -> property(file)
                .ifPresent(name -> all.add(name + "=" + (value.equals("max") ? "infinity" : value))));
        return all;
    }

    /** What systemd has no property for, which is therefore written to the slice's files. */
    static LinuxContainerResources others(LinuxContainerResources limits) {
        LinuxContainerResources.Builder others = LinuxContainerResources.newBuilder()
                .addAllHugepageLimits(limits.getHugepageLimitsList());
        for (Map.Entry<String, String> entry : limits.getUnifiedMap().entrySet()) {
            if (property(entry.getKey()).isEmpty()) {
                others.putUnified(entry.getKey(), entry.getValue());
            }
        }
        return others.build();
    }

    private static Optional<String> property(String file) {
        return switch (file) {
            case "cpu.weight" -> Optional.of("CPUWeight");
            case "cpuset.cpus" -> Optional.of("AllowedCPUs");
            case "cpuset.mems" -> Optional.of("AllowedMemoryNodes");
            case "memory.min" -> Optional.of("MemoryMin");
            case "memory.low" -> Optional.of("MemoryLow");
            case "memory.high" -> Optional.of("MemoryHigh");
            case "memory.max" -> Optional.of("MemoryMax");
            case "memory.swap.max" -> Optional.of("MemorySwapMax");
            case "pids.max" -> Optional.of("TasksMax");
            default -> Optional.empty();
        };
    }

    /** Of one processor, to two digits, which systemd reads; empty without a limit. */
    private static String percent(LinuxContainerResources limits) {
        if (limits.getCpuQuota() < 0) {
            return "";
        }
        long period = limits.getCpuPeriod() > 0 ? limits.getCpuPeriod() : DEFAULT_PERIOD_MICROS;
        return String.format(Locale.ROOT, "%.2f%%",
                Math.max(0.01, PERCENT * limits.getCpuQuota() / period));
    }

    private static String bytes(long limit) {
        return limit < 0 ? "infinity" : Long.toString(limit);
    }

    private static void add(List<String> all, String name, String value) {
        if (!value.isEmpty()) {
            all.add(name + "=" + value);
        }
    }

    private static void systemctl(List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(PROGRAMS.stream().filter(program -> Files.isExecutable(Path.of(program))).findFirst()
                .orElseThrow(() -> new IOException("systemctl is not installed")));
        command.addAll(arguments);
        ChildProcess.Outcome outcome = new ChildProcess(command, Map.of()).run(new byte[0], OUTPUT_BYTES,
                DEADLINE);
        if (outcome.timedOut() || outcome.exitCode() != 0) {
            throw new IOException(String.join(" ", command) + (outcome.timedOut()
                    ? " did not end within " + DEADLINE.toSeconds() + " s"
                    : " exited with " + outcome.exitCode() + ": " + outcome.errorTail().strip()));
        }
    }
}
