package io.berth.runtime.cli;

import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.config.ConfigException;
import io.berth.runtime.daemon.RecoverDatabases;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Clock;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code berth recover}. */
@Command(name = "recover", description = "Make damaged databases again. Where berth.db or images/images.db below root is damaged or gone, it is kept aside and a new one is made from the copies of its rows. Sound ones stay as they are. The daemon must be stopped; containers run on, and the next daemon finds them.", mixinStandardHelpOptions = true, exitCodeListHeading = "%nExit status:%n", exitCodeList = {
        "0:all is sound now", "1:something could not be recovered, or a daemon runs",
        "2:wrong usage or configuration"}, footerHeading = "%nExamples:%n", footer = {
                "  systemctl stop berth && berth recover && systemctl start berth"})
final class RecoverCommand implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private ConfigOptions options;

    @Override
    public Integer call() throws ConfigException, IOException {
        BerthConfig config = options.load();
        PrintWriter out = spec.commandLine().getOut();
        boolean whole = true;
        for (RecoverDatabases.Outcome outcome : new RecoverDatabases(config, Clock.systemUTC()).run()) {
            print(outcome, out);
            whole &= outcome.problems().isEmpty();
        }
        out.flush();
        return whole ? 0 : Berth.FAILED;
    }

    private static void print(RecoverDatabases.Outcome outcome, PrintWriter out) {
        if (outcome.damage().isEmpty()) {
            out.println(outcome.database() + " is sound.");
            return;
        }
        out.println(outcome.database() + " was damaged: " + outcome.damage().get() + ".");
        outcome.kept().ifPresent(kept -> out.println("  The damaged file is kept as " + kept + "."));
        out.println("  Made again with " + outcome.rows() + " records.");
        outcome.problems().forEach(problem -> out.println("  Lost: " + problem));
    }
}
