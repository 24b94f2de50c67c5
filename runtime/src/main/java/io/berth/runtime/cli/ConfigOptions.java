package io.berth.runtime.cli;

import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.config.ConfigException;
import io.berth.runtime.config.ConfigLoader;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that choose and override the configuration. */
final class ConfigOptions {
    private final Map<String, String> environment;

    @Option(names = "--config", paramLabel = "FILE", description = "The configuration, and conf.d beside it (default: /etc/berth/config.toml).")
    private @Nullable Path config;

    @Option(names = "--root", paramLabel = "DIR", description = "Persistent state (default: /var/lib/berth).")
    private @Nullable String root;

    @Option(names = "--state", paramLabel = "DIR", description = "State that a reboot clears (default: /run/berth).")
    private @Nullable String state;

    @Option(names = "--socket", paramLabel = "PATH", description = "The CRI's Unix socket (default: /run/berth/berth.sock).")
    private @Nullable String socket;

    ConfigOptions(Map<String, String> environment) {
        this.environment = environment;
    }

    /** The configuration with these options over it. */
    BerthConfig load() throws ConfigException {
        return load(Map.of());
    }

    /** The same with further flags by key name. */
    BerthConfig load(Map<String, String> more) throws ConfigException {
        Map<String, String> flags = new LinkedHashMap<>();
        put(flags, "root", root);
        put(flags, "state", state);
        put(flags, "socket", socket);
        flags.putAll(more);
        return ConfigLoader.load(Optional.ofNullable(config), environment, flags);
    }

    private static void put(Map<String, String> flags, String key, @Nullable String value) {
        if (value != null) {
            flags.put(key, value.isEmpty() ? value : Path.of(value).toAbsolutePath().normalize().toString());
        }
    }
}
