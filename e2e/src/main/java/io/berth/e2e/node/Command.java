package io.berth.e2e.node;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** A command of the node that runs to its end. */
public final class Command {
    /**
     * @param stdout as it was written
     * @param stderr as it was written
     */
    public record Result(int exitCode, String stdout, String stderr) {
        /** Both, for people. */
        public String output() {
            return stdout + stderr;
        }
    }

    private Command() {}

    /** Runs {@code command}; standard input is empty. */
    public static Result run(List<String> command) {
        try {
            Process process = new ProcessBuilder(command).start();
            process.getOutputStream().close();
            var stderr = new CompletableFuture<String>();
            Thread.startVirtualThread(() -> stderr.complete(text(process.getErrorStream())));
            String stdout = text(process.getInputStream());
            return new Result(process.waitFor(), stdout, stderr.join());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot run " + command.getFirst(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while " + command + " ran", e);
        }
    }

    /** What {@code command} writes to stdout; it must exit with 0. */
    public static String output(String... command) {
        Result result = run(List.of(command));
        if (result.exitCode() != 0) {
            throw new IllegalStateException("%s exited with %d: %s".formatted(String.join(" ", command),
                    result.exitCode(), result.output()));
        }
        return result.stdout().strip();
    }

    private static String text(InputStream stream) {
        try (stream) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
