package io.berth.runtime.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.runtime.config.ConfigLoader;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class BerthTest {
    @TempDir
    Path directory;

    @Test
    void helpShowsEveryCommandExamplesAndExitStatus() {
        Run run = run("--help");
        assertThat(run.status).isZero();
        assertThat(run.out).contains("daemon", "check", "config", "image", "version", "completion",
                "Exit status:",
                "Examples:");
    }

    @Test
    void everyCommandHasHelp() {
        CommandLine berth = Berth.commandLine(Map.of());
        berth.getSubcommands().forEach((name, command) -> {
            assertThat(run(name, "--help").out).as(name).startsWith("Usage: berth " + name);
            command.getSubcommands().keySet().forEach(below -> assertThat(run(name, below, "--help").out)
                    .as(name + " " + below).startsWith("Usage: berth " + name + " " + below)
                    .contains("Example"));
        });
    }

    @Test
    void versionNamesTheBuild() {
        assertThat(run("version").out)
                .matches("berth \\d+\\.\\d+\\.\\d+\\S* \\(CRI v1, Java \\d+, \\w+\\)\n");
        assertThat(run("--version").out).isEqualTo(run("version").out);
    }

    @Test
    void anUnknownCommandIsAUsageError() {
        Run run = run("dæmon");
        assertThat(run.status).isEqualTo(2);
        assertThat(run.err).contains("Unmatched argument at index 0: 'dæmon'");
    }

    @Test
    void noCommandIsAUsageError() {
        Run run = run();
        assertThat(run.status).isEqualTo(2);
        assertThat(run.err).startsWith("which command?\n");
    }

    @Test
    void configDefaultPrintsTheDefaultFile() {
        Run run = run("config", "default");
        assertThat(run.status).isZero();
        assertThat(run.out).isEqualTo(ConfigLoader.defaultFile());
    }

    @Test
    void configCheckAcceptsAGoodFile() throws Exception {
        Path file = Files.writeString(directory.resolve("config.toml"),
                "root = \"/data\"\n[runtimes.kata]\n path = \"/k\"\n");
        Run run = run("config", "check", "--config", file.toString(), "--state", "/s");
        assertThat(run.err).isEmpty();
        assertThat(run.status).isZero();
        assertThat(run.out)
                .isEqualTo("The configuration is good: root /data, state /s, socket /run/berth/berth.sock,"
                        + " runtimes runc, crun, kata (default runc).\n");
    }

    @Test
    void configCheckShowsEveryProblem() throws Exception {
        Path file = Files.writeString(directory.resolve("config.toml"), "rot = 1\nstate = 2\n");
        Run run = run("config", "check", "--config", file.toString());
        assertThat(run.status).isEqualTo(2);
        assertThat(run.err)
                .isEqualTo("berth: " + file + ":1:1: unknown key rot; did you mean root?\nberth: " + file
                        + ":2:1: state must be an absolute path; it is the number 2\n");
    }

    @Test
    void completionIsABashScript() {
        Run run = run("completion");
        assertThat(run.status).isZero();
        assertThat(run.out).startsWith("#!/usr/bin/env bash").contains("complete -F");
    }

    @Test
    void importOfNothingIsNamed() {
        Path missing = directory.resolve("missing.tar");
        Run run = run("image", "import", missing.toString());
        assertThat(run.status).isEqualTo(1);
        assertThat(run.err).isEqualTo("berth: " + missing + " does not exist\n");
    }

    private Run run(String... arguments) {
        var out = new StringWriter();
        var err = new StringWriter();
        int status = Berth.commandLine(Map.of("HOME", directory.toString())).setOut(new PrintWriter(out))
                .setErr(new PrintWriter(err)).execute(arguments);
        return new Run(status, out.toString(), err.toString());
    }

    private record Run(int status, String out, String err) {}
}
