package io.berth.runtime.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.berth.runtime.check.Finding;
import io.berth.runtime.check.NodeCheck;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.config.ConfigException;
import io.berth.runtime.daemon.Installation;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code berth check}. */
@Command(name = "check", description = "Say what this node lacks for running pods, and how to get it.", mixinStandardHelpOptions = true, exitCodeListHeading = "%nExit status:%n", exitCodeList = {
        "0:pods can run; there may be warnings", "1:something is missing",
        "2:wrong usage or configuration"}, footerHeading = "%nExamples:%n", footer = {"  sudo berth check",
                "  sudo berth check --format json | jq '.findings[] | select(.verdict != \"ok\")'"})
final class CheckCommand implements Callable<Integer> {
    private final Map<String, String> environment;
    private final Installation installation;

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private ConfigOptions options;

    @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "table", description = "table or json (default: table).")
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private OutputFormat format;

    CheckCommand(Map<String, String> environment, Installation installation) {
        this.environment = environment;
        this.installation = installation;
    }

    @Override
    public Integer call() throws ConfigException, IOException {
        BerthConfig config = options.load();
        List<Finding> findings = NodeCheck.run(config, config.shim().or(installation::shim),
                environment.get("PATH"));
        PrintWriter out = spec.commandLine().getOut();
        switch (format) {
            case TABLE -> printTable(findings, out);
            case JSON -> printJson(findings, out);
        }
        out.flush();
        return NodeCheck.ready(findings) ? 0 : Berth.FAILED;
    }

    private static void printTable(List<Finding> findings, PrintWriter out) {
        var table = new Table("", "AREA", "WHAT", "FOUND");
        for (Finding finding : findings) {
            table.add(switch (finding.verdict()) {
                case OK -> "ok";
                case WARNING -> "warning";
                case MISSING -> "MISSING";
            }, finding.area(), finding.name(), finding.found());
        }
        table.print(out);
        List<Finding> open = findings.stream().filter(finding -> !finding.remedy().isEmpty()).toList();
        if (!open.isEmpty()) {
            out.println();
            open.forEach(finding -> out
                    .println(finding.area() + ", " + finding.name() + ": " + finding.remedy() + "."));
        }
        out.println();
        out.println(NodeCheck.ready(findings)
                ? "This node can run pods."
                : "This node cannot run pods yet: see what is MISSING.");
    }

    private static void printJson(List<Finding> findings, PrintWriter out) throws IOException {
        try (JsonGenerator json = new JsonFactory().createGenerator(out)) {
            json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET).useDefaultPrettyPrinter();
            json.writeStartObject();
            json.writeBooleanField("ready", NodeCheck.ready(findings));
            json.writeArrayFieldStart("findings");
            for (Finding finding : findings) {
                json.writeStartObject();
                json.writeStringField("area", finding.area());
                json.writeStringField("name", finding.name());
                json.writeStringField("verdict", finding.verdict().name().toLowerCase(Locale.ROOT));
                json.writeStringField("found", finding.found());
                json.writeStringField("remedy", finding.remedy());
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeEndObject();
        }
        out.println();
    }
}
