package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.linux.ChildProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;

/** One run of an OCI runtime's command: its output, its error in its own words, its end at a deadline. */
final class OciCommand {
    private static final int MAX_OUTPUT_BYTES = 4 << 20;
    private static final int MAX_ERROR_CHARACTERS = 2000;

    private OciCommand() {}

    /**
     * What the command printed.
     *
     * @param error the runtime's last error message; empty where it has none
     */
    record Result(int exitCode, String output, String error) {}

    /**
     * Runs {@code command} with {@code input} on its stdin.
     *
     * @param command absolute path of the program, and its arguments
     * @throws OciException TIMEOUT when it has not ended by {@code deadline}; its process group is killed. FAILED where it
     *         cannot be run
     */
    static Result run(List<String> command, byte[] input, Duration deadline) throws OciException {
        ChildProcess.Outcome outcome;
        try {
            outcome = new ChildProcess(command, System.getenv()).run(input, MAX_OUTPUT_BYTES, deadline);
        } catch (IOException e) {
            throw new OciException(OciException.Kind.FAILED,
                    "run " + command.getFirst() + ": " + e.getMessage()
                            + "; install it, or correct its path under [runtimes] in the configuration",
                    e);
        }
        if (outcome.timedOut()) {
            throw new OciException(OciException.Kind.TIMEOUT,
                    String.join(" ", command) + " did not end within "
                            + deadline.toMillis() + " ms and was killed");
        }
        return new Result(outcome.exitCode(), outcome.output(), errorText(outcome.errorTail()));
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
}
