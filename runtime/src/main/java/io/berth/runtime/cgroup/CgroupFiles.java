package io.berth.runtime.cgroup;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * Reads of cgroup interface files. A cgroup may vanish at any moment, so an absent file is no error; nor is ENODEV,
 * which the kernel gives for a file that was open while its cgroup went.
 */
final class CgroupFiles {
    private CgroupFiles() {}

    static Optional<String> text(Path file) {
        try {
            return Optional.of(Files.readString(file).strip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** A single number; empty for {@code max}. */
    static OptionalLong number(Path file) {
        return parse(text(file).orElse(""));
    }

    /** Lines of {@code name value}. */
    static Map<String, Long> table(Path file) {
        Map<String, Long> result = new HashMap<>();
        text(file).stream().flatMap(String::lines).forEach(line -> {
            int space = line.indexOf(' ');
            OptionalLong value = space < 0 ? OptionalLong.empty() : parse(line.substring(space + 1));
            if (value.isPresent()) {
                result.put(line.substring(0, space), value.getAsLong());
            }
        });
        return result;
    }

    static OptionalLong value(Map<String, Long> table, String name) {
        Long value = table.get(name);
        return value == null ? OptionalLong.empty() : OptionalLong.of(value);
    }

    /** The pids of {@code cgroup.procs}; those of a PID namespace that is not below ours read as 0 and are left out. */
    static List<Long> pids(Path directory) throws IOException {
        try {
            return Files.readAllLines(directory.resolve("cgroup.procs"))
                    .stream()
                    .map(Long::parseLong)
                    .filter(pid -> pid > 0)
                    .toList();
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (IOException e) {
            if (Files.notExists(directory)) {
                return List.of();
            }
            throw e;
        }
    }

    /** The cgroup and all below it, parents first; nothing where it is absent. */
    static List<Path> tree(Path cgroup) throws IOException {
        List<Path> result = new ArrayList<>();
        List<Path> level = Files.isDirectory(cgroup) ? List.of(cgroup) : List.of();
        while (!level.isEmpty()) {
            result.addAll(level);
            List<Path> next = new ArrayList<>();
            for (Path directory : level) {
                try (Stream<Path> children = Files.list(directory)) {
                    children.filter(Files::isDirectory).sorted(Comparator.naturalOrder()).forEach(next::add);
                } catch (NoSuchFileException e) {
                    // It went while we looked, which is what the caller wants of it.
                }
            }
            level = next;
        }
        return result;
    }

    /** A number; empty where it is none. */
    static OptionalLong parse(String text) {
        try {
            return OptionalLong.of(Long.parseLong(text.strip()));
        } catch (NumberFormatException e) {
            return OptionalLong.empty();
        }
    }
}
