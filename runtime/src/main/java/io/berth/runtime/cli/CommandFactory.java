package io.berth.runtime.cli;

import io.berth.runtime.daemon.Installation;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.IFactory;

/** Makes commands and gives them what they stand on. */
record CommandFactory(Map<String, String> environment, Installation installation) implements IFactory {
    CommandFactory(Map<String, String> environment) {
        this(environment, Installation.current());
    }

    @Override
    public <K> K create(Class<K> type) throws Exception {
        if (type == ConfigOptions.class) {
            return type.cast(new ConfigOptions(environment));
        }
        if (type == VersionCommand.class) {
            return type.cast(new VersionCommand(installation));
        }
        if (type == CheckCommand.class) {
            return type.cast(new CheckCommand(environment, installation));
        }
        if (type == DaemonCommand.class) {
            return type.cast(new DaemonCommand(environment, installation));
        }
        return CommandLine.defaultFactory().create(type);
    }
}
