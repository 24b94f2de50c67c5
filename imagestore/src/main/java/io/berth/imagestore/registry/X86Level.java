package io.berth.imagestore.registry;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The micro-architecture level of an x86-64 processor (psABI, "Micro-Architecture Levels"), by its flags. */
final class X86Level {
    private static final Path CPUINFO = Path.of("/proc/cpuinfo");
    /** What each level adds to the one before it, from the second on, as the kernel calls it. */
    private static final List<Set<String>> LEVELS = List.of(
            Set.of("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"),
            Set.of("abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"),
            Set.of("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"));

    private X86Level() {}

    /** 1 to 4; 1, which runs everywhere, where the kernel does not say. */
    static int ofThisNode() {
        try {
            return Files.readAllLines(CPUINFO, StandardCharsets.ISO_8859_1).stream()
                    .filter(line -> line.startsWith("flags")).findFirst().map(line -> of(
                            new HashSet<>(
                                    List.of(line.substring(line.indexOf(':') + 1).strip().split("\\s+")))))
                    .orElse(1);
        } catch (IOException e) {
            return 1;
        }
    }

    static int of(Set<String> flags) {
        int level = 1;
        for (Set<String> more : LEVELS) {
            if (!flags.containsAll(more)) {
                break;
            }
            level++;
        }
        return level;
    }
}
