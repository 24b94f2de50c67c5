package io.berth.runtime.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.runtime.lifecycle.LifecycleException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CheckpointFilesTest {
    @TempDir
    Path directory;

    @Test
    void anArchiveIsUnpackedToWhatItWasMadeOf() throws Exception {
        String longName = "checkpoint/" + "pages-".repeat(30) + ".img";
        Path from = Files.createDirectories(directory.resolve("from"));
        Files.createDirectory(from.resolve("checkpoint"));
        Files.write(from.resolve(longName), new byte[70_001]);
        Files.writeString(from.resolve("config.dump"), "{}");
        Path archive = directory.resolve("a.tar");

        CheckpointArchive.write(new CheckpointDirectory(from), archive);
        Path to = CheckpointArchive.unpack(archive, directory.resolve("to")).path();

        assertThat(Files.readAllBytes(to.resolve(longName))).isEqualTo(new byte[70_001]);
        assertThat(to.resolve("config.dump")).hasContent("{}");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(archive)))
                .isEqualTo("rw-------");
        assertThat(Files.size(archive) % 512).isZero();
    }

    @Test
    void anArchiveReplacesNothing() throws Exception {
        Path from = Files.createDirectories(directory.resolve("from"));
        Path archive = Files.writeString(directory.resolve("a.tar"), "precious");

        assertThatThrownBy(() -> CheckpointArchive.write(new CheckpointDirectory(from), archive))
                .isInstanceOfSatisfying(LifecycleException.class,
                        e -> assertThat(e.kind()).isEqualTo(LifecycleException.Kind.ALREADY_EXISTS));

        assertThat(archive).hasContent("precious");
        assertThat(directory).isDirectoryNotContaining("glob:**partial*");
    }

    @Test
    void aConfigThatNamesNoImageIsRefused() throws IOException {
        Path file = Files.writeString(directory.resolve("config.dump"), "{\"id\": \"1\"}");

        assertThatThrownBy(() -> ConfigDump.read(file, "a.tar")).hasMessageContaining("a.tar")
                .hasMessageContaining("which image");
    }

    @Test
    void criuLastErrorsAreItsReason() {
        assertThat(CriuLog
                .reason("""
                    (00.028) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
                    (00.141) Error (criu/files-reg.c:1790): Can't lookup mount=82 for fd=1 path=/x
                    (00.142) Warn  (criu/x.c:1): unimportant
                    (00.206)  120: Error (criu/cr-dump.c:2128): Dumping FAILED.
                    """))
                .isEqualTo("Can't lookup mount=82 for fd=1 path=/x; Dumping FAILED.");
        assertThat(CriuLog.reason("(00.1) all is well")).isEmpty();
    }
}
