package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * What a process has of the node at one moment.
 *
 * @param descriptors open files, sockets, pipes
 * @param residentBytes its memory, shared pages counted in full
 */
public record ProcessUse(int threads, int descriptors, long residentBytes) {
    /** Of the process {@code pid}, from /proc. */
    public static ProcessUse of(long pid) {
        Path proc = Path.of("/proc", Long.toString(pid));
        try (Stream<Path> descriptors = Files.list(proc.resolve("fd"))) {
            return new ProcessUse((int) field(proc, "Threads:"), (int) descriptors.count(),
                    field(proc, "VmRSS:") * 1024);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long field(Path proc, String name) throws IOException {
        return Files.readAllLines(proc.resolve("status")).stream().filter(line -> line.startsWith(name))
                .map(line -> Long.parseLong(line.replaceAll("[^0-9]", ""))).findFirst().orElseThrow();
    }
}
