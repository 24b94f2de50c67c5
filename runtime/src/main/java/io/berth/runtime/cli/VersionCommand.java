package io.berth.runtime.cli;

import io.berth.runtime.daemon.Installation;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;
import org.jspecify.annotations.Nullable;

/** {@code berth version}. */
@Command(name = "version", description = "Print the version.", mixinStandardHelpOptions = true, versionProvider = VersionCommand.class)
final class VersionCommand implements Runnable, IVersionProvider {
    private final Installation installation;

    @Spec
    private @Nullable CommandSpec spec;

    VersionCommand(Installation installation) {
        this.installation = installation;
    }

    @Override
    public void run() {
        if (spec != null) {
            spec.commandLine().getOut().println(text());
        }
    }

    @Override
    public String[] getVersion() { return new String[]{text()}; }

    private String text() {
        return "berth " + installation.version() + " (CRI v1, Java " + Runtime.version().feature() + ", "
                + System.getProperty("os.arch") + ")";
    }
}
