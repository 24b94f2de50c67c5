package io.berth.runtime.cli;

import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.config.ConfigException;
import io.berth.runtime.config.ConfigLoader;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code berth config}. */
@Command(name = "config", description = "Show or check the configuration.", mixinStandardHelpOptions = true)
final class ConfigCommand implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "config default or config check?");
    }

    /** Prints the default file. */
    @Command(name = "default", description = "Print a configuration with every key, its default and what it means.", mixinStandardHelpOptions = true, footerHeading = "%nExample:%n", footer = "  berth config default > /etc/berth/config.toml")
    void printDefault() {
        spec.commandLine().getOut().print(ConfigLoader.defaultFile());
        spec.commandLine().getOut().flush();
    }

    /** Checks without a daemon. */
    @Command(name = "check", description = "Check the configuration files and the environment, without a daemon.", mixinStandardHelpOptions = true, footerHeading = "%nExample:%n", footer = "  berth config check --config ./config.toml")
    void check(@Mixin ConfigOptions options) throws ConfigException {
        BerthConfig config = options.load();
        spec.commandLine().getOut().println("The configuration is good: root " + config.root() + ", state "
                + config.state() + ", socket " + config.socket() + ", runtimes " + String.join(", ",
                        config.runtimes().keySet())
                + " (default " + config.defaultRuntime() + ").");
    }
}
