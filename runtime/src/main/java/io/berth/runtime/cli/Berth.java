package io.berth.runtime.cli;

import io.berth.runtime.config.ConfigException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** The program {@code berth}. */
@Command(name = "berth", description = "A Kubernetes CRI runtime.", mixinStandardHelpOptions = true, versionProvider = VersionCommand.class, subcommands = {
        DaemonCommand.class, CheckCommand.class, ConfigCommand.class, ImageCommand.class,
        RecoverCommand.class, VersionCommand.class,
        CompletionCommand.class}, exitCodeListHeading = "%nExit status:%n", exitCodeList = {"0:done",
                "1:failed; for \"berth check\", this node lacks something",
                "2:wrong usage or configuration", "3:there is no such image",
                "4:an image is not as recorded"}, footerHeading = "%nExamples:%n", footer = {
                        "  berth check                         what this node lacks, and how to get it",
                        "  berth daemon                        serve the CRI at /run/berth/berth.sock",
                        "  berth config default                every setting, explained",
                        "  berth image import busybox.tar      an image without a registry"})
public final class Berth implements Runnable {
    /** It failed. */
    static final int FAILED = 1;
    /** The command line or the configuration is wrong. */
    static final int USAGE = 2;
    /** There is no such image. */
    static final int NOT_FOUND = 3;
    /** Something is not as recorded. */
    static final int DAMAGED = 4;

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    /** Runs one command and ends the process with its exit status. */
    public static void main(String[] args) {
        int status = commandLine(System.getenv()).execute(args);
        System.out.flush();
        System.exit(status);
    }

    /** The whole command line, over {@code environment}. */
    static CommandLine commandLine(Map<String, String> environment) {
        return new CommandLine(new Berth(), new CommandFactory(environment))
                .setCaseInsensitiveEnumValuesAllowed(true).setUsageHelpAutoWidth(true)
                .setExecutionExceptionHandler(Berth::failed);
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "which command?");
    }

    /** Says what went wrong in words; only a bug shows where in the code. */
    private static int failed(Exception failure, CommandLine command, ParseResult parsed) throws Exception {
        PrintWriter err = command.getErr();
        switch (failure) {
            case ConfigException e -> {
                e.problems().forEach(problem -> err.println("berth: " + problem));
                return USAGE;
            }
            case CommandFailure e -> {
                err.println("berth: " + message(e));
                err.flush();
                return e.exitStatus();
            }
            case IOException e -> err.println("berth: " + message(e));
            case UncheckedIOException e -> err.println("berth: " + message(e));
            default -> throw failure;
        }
        err.flush();
        return FAILED;
    }

    private static String message(Exception e) {
        String message = e.getMessage();
        return message == null ? e.toString() : message;
    }
}
