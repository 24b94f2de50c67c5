package io.berth.runtime.shim;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Set;

/** The JSON log that OCI runtimes write with {@code --log-format json}. */
final class RuntimeLog {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Set<String> SERIOUS = Set.of("error", "fatal", "panic");

    private RuntimeLog() {}

    /** The last error in the log; where it has none, all of its text. */
    static String message(String log) {
        String last = "";
        for (String line : log.lines().toList()) {
            String message = error(line);
            last = message.isEmpty() ? last : message;
        }
        String text = last.isEmpty() ? log.strip() : last;
        return text.isEmpty() ? "the OCI runtime failed and said nothing" : text;
    }

    private static String error(String line) {
        try {
            JsonNode entry = JSON.readTree(line);
            return SERIOUS.contains(entry.path("level").asText()) ? entry.path("msg").asText() : "";
        } catch (JsonProcessingException e) {
            // The log's end was cut out, or a plain text was printed: no entry of it.
            return "";
        }
    }
}
