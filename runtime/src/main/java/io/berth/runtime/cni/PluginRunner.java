package io.berth.runtime.cni;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.linux.ChildProcess;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/** Executes single plugins (CNI spec, section 2): finds the file, speaks JSON with it, times it, ends it at its deadline. */
final class PluginRunner {
    private static final int OUTPUT_LIMIT = 4 << 20;
    private static final int SHOWN = 300;

    private final List<Path> directories;
    private final MeterRegistry meters;
    private final Map<String, String> inherited;
    private final HostPortTurns hostPorts = new HostPortTurns();

    PluginRunner(List<Path> directories, MeterRegistry meters, Map<String, String> environment) {
        this.directories = List.copyOf(directories);
        this.meters = meters;
        this.inherited = new HashMap<>(environment);
        this.inherited.keySet().removeIf(name -> name.startsWith("CNI_"));
    }

    /** How a plugin answered. */
    sealed interface Answer {
        /** @param result what it printed; an empty object where it printed nothing */
        record Success(ObjectNode result) implements Answer {}

        /**
         * @param code of the CNI spec, section "Error"; -1 where the plugin gave none
         * @param words what went wrong and what to do
         */
        record Failure(int code, String words, boolean timeout) implements Answer {}
    }

    /** The file of a plugin; empty where no folder has it. */
    Optional<Path> find(String type) {
        return directories.stream().map(directory -> directory.resolve(type)).filter(Files::isExecutable)
                .filter(Files::isRegularFile).findFirst();
    }

    /** What the operator is told about a plugin that no folder has. */
    String missing(String type) {
        return "there is no executable \"" + type + "\" in " + directories
                + ": install it (Debian: containernetworking-plugins) or name its folder in [cni] bin_dirs";
    }

    /**
     * Runs one command of one plugin.
     *
     * @param arguments {@code CNI_*} variables but for {@code CNI_COMMAND} and {@code CNI_PATH}
     */
    Answer run(String command, String type, ObjectNode config, Map<String, String> arguments,
            Duration deadline) {
        Optional<Path> file = find(type);
        if (file.isEmpty()) {
            return new Answer.Failure(-1, missing(type), false);
        }
        Map<String, String> environment = new HashMap<>(inherited);
        environment.putAll(arguments);
        environment.put("CNI_COMMAND", command);
        environment.put("CNI_PATH", String.join(":", directories.stream().map(Path::toString).toList()));
        Function<Duration, Answer> call = left -> timed(command, type,
                () -> execute(file.get(), config, environment, left));
        boolean opensHostPorts = command.equals("ADD") && config.path("runtimeConfig").has("portMappings");
        return opensHostPorts ? hostPorts.take(deadline, call) : call.apply(deadline);
    }

    private Answer timed(String command, String type, Supplier<Answer> call) {
        Timer.Sample sample = Timer.start(meters);
        Answer answer = call.get();
        sample.stop(Timer.builder("berth.cni.plugin").description("Calls of CNI plugins").tag("plugin", type)
                .tag("command", command).tag("outcome", outcome(answer)).register(meters));
        return answer;
    }

    private static Answer execute(Path file, ObjectNode config, Map<String, String> environment,
            Duration deadline) {
        if (!deadline.isPositive()) {
            return new Answer.Failure(-1, "no time was left to run it", true);
        }
        try {
            return answer(new ChildProcess(List.of(file.toString()), environment)
                    .run(config.toString().getBytes(StandardCharsets.UTF_8), OUTPUT_LIMIT, deadline),
                    deadline);
        } catch (IOException e) {
            return new Answer.Failure(-1, "it could not be run: " + e.getMessage(), false);
        }
    }

    private static Answer answer(ChildProcess.Outcome outcome, Duration deadline) {
        if (outcome.timedOut()) {
            return new Answer.Failure(-1, "it did not end within " + deadline.toMillis()
                    + " ms and was killed with its process group" + stderr(outcome)
                    + ": look for what it waits for; [cni] timeout sets the limit", true);
        }
        Optional<ObjectNode> output = parse(outcome);
        if (outcome.exitCode() != 0) {
            return output.map(error -> ofPlugin(error, outcome))
                    .orElseGet(() -> new Answer.Failure(-1, "it ended with exit code " + outcome.exitCode()
                            + ", and printed no CNI error but \"" + shown(outcome.output()) + "\""
                            + stderr(outcome), false));
        }
        return output.<Answer>map(Answer.Success::new).orElseGet(() -> new Answer.Failure(-1,
                "it printed no CNI result but \"" + shown(outcome.output()) + "\"" + stderr(outcome), false));
    }

    private static Optional<ObjectNode> parse(ChildProcess.Outcome outcome) {
        if (outcome.output().isBlank() && outcome.exitCode() == 0) {
            return Optional.of(JsonNodeFactory.instance.objectNode());
        }
        try {
            JsonNode tree = NetworkConfig.JSON.readTree(outcome.output());
            return tree instanceof ObjectNode object && !outcome.outputTruncated()
                    ? Optional.of(object)
                    : Optional.empty();
        } catch (JsonProcessingException e) {
            return Optional.empty();
        }
    }

    private static Answer ofPlugin(ObjectNode error, ChildProcess.Outcome outcome) {
        int code = error.path("code").asInt(-1);
        String details = error.path("details").asText("");
        return new Answer.Failure(code, error.path("msg").asText("no message")
                + (details.isEmpty() ? "" : " (" + details + ")") + " [code " + code + "]" + stderr(outcome)
                + advice(code),
                false);
    }

    /** The way out for the codes that the CNI spec gives a meaning. */
    private static String advice(int code) {
        return switch (code) {
            case 1 -> ": give the network a cniVersion that all of its plugins know";
            case 2, 6, 7 -> ": correct the network configuration";
            case 11 -> ": a later try may succeed";
            default -> "";
        };
    }

    private static String stderr(ChildProcess.Outcome outcome) {
        String tail = outcome.errorTail().strip();
        return tail.isEmpty() ? "" : "; stderr: " + tail.substring(Math.max(0, tail.length() - SHOWN));
    }

    private static String shown(String output) {
        String text = output.strip();
        return text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "...";
    }

    private static String outcome(Answer answer) {
        return switch (answer) {
            case Answer.Success _ -> "success";
            case Answer.Failure failure -> failure.timeout() ? "timeout" : "failure";
        };
    }
}
