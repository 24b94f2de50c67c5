package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A command of the node that runs to its end. */
public final class Command {
    /** @param output stdout and stderr, as they came */
    public record Result(int exitCode, String output) {}

    private Command() {}

    /** Runs {@code command}; standard input is empty. */
    public static Result run(List<String> command) {
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return new Result(process.waitFor(), output);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot run " + command.getFirst(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while " + command + " ran", e);
        }
    }

    /** The output of {@code command}, which must exit with 0. */
    public static String output(String... command) {
        Result result = run(List.of(command));
        if (result.exitCode() != 0) {
            throw new IllegalStateException("%s exited with %d: %s".formatted(String.join(" ", command),
                    result.exitCode(), result.output()));
        }
        return result.output().strip();
    }
}
