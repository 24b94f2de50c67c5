package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** One run of an OCI runtime's command: its output, its error in its own words, its end at a deadline. */
final class OciCommand {
    private static final int MAX_OUTPUT_BYTES = 4 << 20;
    private static final int MAX_ERROR_CHARACTERS = 2000;

    private OciCommand() {}

    /**
     * What the command printed.
     *
     * @param error the runtime's last error message; empty where it succeeded
     */
    record Result(int exitCode, String output, String error) {}

    /**
     * Runs {@code command} with {@code input} on its stdin.
     *
     * @throws OciException TIMEOUT when it has not ended by {@code deadline}; it and its children are killed. FAILED where
     *         it cannot be run
     */
    static Result run(List<String> command, byte[] input, Duration deadline) throws OciException {
        Process process = start(command);
        CompletableFuture<String> output = read(process.getInputStream());
        CompletableFuture<String> error = read(process.getErrorStream());
        long end = System.nanoTime() + deadline.toNanos();
        try {
            write(process.getOutputStream(), input);
            if (!process.waitFor(deadline.toNanos(), TimeUnit.NANOSECONDS)) {
                throw timeout(command, deadline);
            }
            // A child that outlives the runtime may hold its pipes open.
            return new Result(process.exitValue(), output.get(end - System.nanoTime(), TimeUnit.NANOSECONDS),
                    errorText(error.get(end - System.nanoTime(), TimeUnit.NANOSECONDS)));
        } catch (TimeoutException e) {
            throw timeout(command, deadline);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new OciException(OciException.Kind.FAILED, "interrupted: " + String.join(" ", command), e);
        } catch (ExecutionException e) {
            throw new OciException(OciException.Kind.FAILED,
                    "read the output of " + String.join(" ", command) + ": " + e.getCause(), e);
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }

    /** The message of the last JSON line with an error, or the end of the text where it is none. */
    static String errorText(String stderr) {
        String found = "";
        for (String line : stderr.lines().toList()) {
            if (!line.startsWith("{")) {
                continue;
            }
            try {
                JsonNode entry = OciSpec.parseJson(line.getBytes(StandardCharsets.UTF_8), "log line");
                String level = entry.path("level").asText();
                if (level.equals("error") || level.equals("fatal")) {
                    found = entry.path("msg").asText();
                }
            } catch (OciException e) {
                // Not the runtime's log, then: the text as a whole says more.
            }
        }
        String text = found.isEmpty() ? stderr.strip() : found;
        return text.length() <= MAX_ERROR_CHARACTERS
                ? text
                : text.substring(text.length() - MAX_ERROR_CHARACTERS);
    }

    private static Process start(List<String> command) throws OciException {
        try {
            return new ProcessBuilder(command).start();
        } catch (IOException e) {
            throw new OciException(OciException.Kind.FAILED,
                    "run " + command.getFirst() + ": " + e.getMessage()
                            + "; install it, or correct its path under [runtimes] in the configuration",
                    e);
        }
    }

    private static void write(OutputStream stdin, byte[] input) {
        try (stdin) {
            stdin.write(input);
        } catch (IOException e) {
            // It ended before it read; its exit code and message say why.
        }
    }

    private static CompletableFuture<String> read(InputStream in) {
        CompletableFuture<String> result = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try (in) {
                result.complete(new String(in.readNBytes(MAX_OUTPUT_BYTES), StandardCharsets.UTF_8));
            } catch (IOException e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    private static OciException timeout(List<String> command, Duration deadline) {
        return new OciException(OciException.Kind.TIMEOUT, String.join(" ", command) + " did not end within "
                + deadline.toMillis() + " ms and was killed");
    }
}
