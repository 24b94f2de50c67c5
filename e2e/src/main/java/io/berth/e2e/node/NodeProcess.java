package io.berth.e2e.node;

import io.berth.e2e.cri.Await;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** A server of the node: a process, its log file, and how to tell that it serves. */
final class NodeProcess {
    private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
    private static final Duration STOP_TIMEOUT = Duration.ofSeconds(30);
    private static final int SHOWN_LOG_LINES = 40;

    private final String name;
    private final Path logFile;
    private final List<String> command;
    private final Map<String, String> environment;
    private @Nullable Process process;

    NodeProcess(String name, Path logFile, Map<String, String> environment, List<String> command) {
        this.name = name;
        this.logFile = logFile;
        this.environment = Map.copyOf(environment);
        this.command = List.copyOf(command);
    }

    /** Starts it and waits until {@code serves}. Standard output and error go to the log file. */
    void start(BooleanSupplier serves) {
        Process started;
        try {
            Files.createDirectories(logFile.getParent());
            var builder = new ProcessBuilder(command).redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(logFile.toFile()));
            // Loopback only: a proxy of this machine's environment is of no use in here.
            builder.environment().keySet()
                    .removeIf(key -> key.toLowerCase(java.util.Locale.ROOT).endsWith("_proxy"));
            builder.environment().putAll(environment);
            started = builder.start();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot start " + command.getFirst()
                    + "; sudo ./test installs the packages it needs", e);
        }
        process = started;
        Await.until(name + " serves", START_TIMEOUT, () -> {
            if (!started.isAlive()) {
                throw new IllegalStateException("%s ended with %d:%n%s".formatted(name, started.exitValue(),
                        logTail()));
            }
            return serves.getAsBoolean();
        }, serving -> serving);
    }

    long pid() {
        return running().pid();
    }

    boolean isRunning() {
        Process p = process;
        return p != null && p.isAlive();
    }

    /** SIGTERM, and an error if that does not end it. */
    void stop() {
        if (process == null) {
            return;
        }
        Process p = running();
        p.destroy();
        if (!ended(p)) {
            p.destroyForcibly();
            throw new IllegalStateException(
                    name + " did not end within " + STOP_TIMEOUT + " of SIGTERM:\n" + logTail());
        }
    }

    /** SIGKILL. */
    void kill() {
        Process p = running();
        p.destroyForcibly();
        ended(p);
    }

    String logTail() {
        try {
            var lines = new ArrayList<>(Files.readAllLines(logFile));
            return String.join("\n",
                    lines.subList(Math.max(0, lines.size() - SHOWN_LOG_LINES), lines.size()));
        } catch (IOException e) {
            return "(its log cannot be read: " + e + ")";
        }
    }

    private static boolean ended(Process process) {
        try {
            return process.waitFor(STOP_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private Process running() {
        Process p = process;
        if (p == null) {
            throw new IllegalStateException(name + " was not started");
        }
        return p;
    }
}
