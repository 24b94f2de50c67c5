package io.berth.runtime.stats;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessFilesTest {
    @TempDir
    private Path proc;

    @Test
    void countsDescriptorsAndSocketsOfAllThatLive() throws IOException {
        Files.createDirectories(proc.resolve("7/fd"));
        Files.createSymbolicLink(proc.resolve("7/fd/0"), Path.of("/dev/null"));
        Files.createSymbolicLink(proc.resolve("7/fd/3"), Path.of("socket:[4711]"));
        Files.createDirectories(proc.resolve("8/fd"));
        Files.createSymbolicLink(proc.resolve("8/fd/1"), Path.of("pipe:[12]"));
        assertThat(ProcessFiles.count(proc, List.of(7L, 8L, 9L))).isEqualTo(new ProcessFiles(3, 1));
    }

    @Test
    void readsTheSoftLimitOfOpenFiles() throws IOException {
        Files.createDirectories(proc.resolve("7"));
        Files.writeString(proc.resolve("7/limits"), """
            Limit                     Soft Limit           Hard Limit           Units
            Max processes             unlimited            unlimited            processes
            Max open files            1024                 524288               files
            """);
        assertThat(ProcessFiles.openFilesLimit(proc, 7)).hasValue(1024);
        assertThat(ProcessFiles.openFilesLimit(proc, 8)).isEmpty();
    }
}
