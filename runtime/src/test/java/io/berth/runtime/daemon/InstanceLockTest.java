package io.berth.runtime.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InstanceLockTest {
    @TempDir
    Path directory;

    @Test
    void keepsASecondOneOutAndNamesTheFirst() throws Exception {
        Path root = directory.resolve("a/b");
        try (InstanceLock lock = InstanceLock.of(root)) {
            assertThat(lock).isNotNull();
            assertThatThrownBy(() -> InstanceLock.of(root)).isInstanceOf(DaemonException.class)
                    .hasMessage(root + " is in use by another berth (pid " + ProcessHandle.current().pid()
                            + ", by "
                            + root.resolve("berth.lock") + "); stop it, or choose another directory");
        }
        InstanceLock.of(root).close();
    }

    @Test
    void aFileThatADeadProcessLeftDoesNotMatter() throws Exception {
        Files.writeString(directory.resolve("berth.lock"), "999999\n");
        InstanceLock.of(directory).close();
        assertThat(directory.resolve("berth.lock")).hasContent(ProcessHandle.current().pid() + "\n");
    }

    @Test
    void aDirectoryThatCannotBeMadeIsNamed() throws Exception {
        Path file = Files.writeString(directory.resolve("file"), "");
        assertThatThrownBy(() -> InstanceLock.of(file.resolve("root"))).isInstanceOf(DaemonException.class)
                .hasMessageStartingWith("cannot use the directory " + file.resolve("root") + ": ");
    }
}
