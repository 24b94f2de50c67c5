package io.berth.runtime.container;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Tells whether a container's first process has become the container's program. An OCI runtime's {@code start} returns
 * a little earlier, and a signal that comes in between is lost: the runtime's own init catches it.
 */
final class ExecBarrier {
    private static final Duration LIMIT = Duration.ofSeconds(1);
    private static final Duration PAUSE = Duration.ofMillis(1);

    private final Path exe;
    private final @Nullable Object runtimeInit;

    /** To be made while the container is created and not started. */
    ExecBarrier(long pid) {
        this.exe = Path.of("/proc", Long.toString(pid), "exe");
        this.runtimeInit = program();
    }

    /** Waits until the process runs another program than at first, or is gone; after a second it goes on regardless. */
    void await() throws InterruptedException {
        if (runtimeInit == null) {
            return;
        }
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (Objects.equals(program(), runtimeInit) && System.nanoTime() - deadline < 0) {
            Thread.sleep(PAUSE);
        }
    }

    /** Identifies the file that the process executes; null where there is no such process. */
    private @Nullable Object program() {
        try {
            return Files.readAttributes(exe, BasicFileAttributes.class).fileKey();
        } catch (IOException e) {
            return null;
        }
    }
}
