package io.berth.runtime.streaming;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;

/** How a command ended, as the error channel tells it. */
sealed interface Outcome {
    ObjectMapper JSON = new ObjectMapper();

    /** Exit code 0. */
    record Success() implements Outcome {}

    /** The command ran and ended with another code. */
    record ExitCode(int code) implements Outcome {}

    /** The command could not be run or followed. */
    record Failure(String message) implements Outcome {}

    static Outcome ofExitCode(int code) {
        return code == 0 ? new Success() : new ExitCode(code);
    }

    /** The text of protocols before v4: nothing for success. */
    default byte[] plainText() {
        return switch (this) {
            case Success() -> new byte[0];
            case ExitCode(int code) -> exitText(code).getBytes(StandardCharsets.UTF_8);
            case Failure(String message) -> message.getBytes(StandardCharsets.UTF_8);
        };
    }

    /** A {@code meta/v1 Status} object, as v4 and later want it. */
    default byte[] statusJson() {
        ObjectNode status = JSON.createObjectNode();
        status.putObject("metadata");
        switch (this) {
            case Success() -> status.put("status", "Success");
            case ExitCode(int code) -> {
                status.put("status", "Failure").put("message", exitText(code)).put("reason",
                        "NonZeroExitCode");
                status.putObject("details").putArray("causes").addObject().put("reason", "ExitCode")
                        .put("message", Integer.toString(code));
            }
            case Failure(String message) -> status.put("status", "Failure").put("message", message)
                    .put("reason", "InternalError").put("code", 500);
        }
        try {
            return JSON.writeValueAsBytes(status);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of strings cannot fail to become JSON", e);
        }
    }

    private static String exitText(int code) {
        return "command terminated with exit code " + code;
    }
}
