package io.berth.runtime.config;

import io.berth.imagestore.LayerLimits;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Makes the {@link BerthConfig} from, weakest first: defaults, the main file, the files of {@code conf.d} beside it by
 * name, environment ({@code BERTH_REGISTRY_PARALLEL_LAYERS} is {@code registry.parallel_layers}), flags. A list
 * replaces a list; tables are merged key by key. Every problem is found before anything is thrown.
 */
public final class ConfigLoader {
    /** The main file where none is named. */
    public static final Path DEFAULT_FILE = Path.of("/etc/berth/config.toml");

    /** The daemon binds its socket under this name first and then renames it. */
    public static final String NEW_SOCKET_SUFFIX = ".new";

    /** {@code sockaddr_un} holds 107 bytes and a terminating zero. */
    private static final int MAX_SOCKET_PATH_BYTES = 107 - NEW_SOCKET_SUFFIX.length();

    private static final Pattern HANDLER_NAME = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");

    /** Variables that are not keys: the launcher's and the tools' own. */
    private static final List<String> OTHER_VARIABLES = List.of("BERTH_CONFIG", "BERTH_JAVA_OPTS",
            "BERTH_HOME");

    private final Settings settings = new Settings();

    private ConfigLoader() {}

    /**
     * Loads and checks the configuration.
     *
     * @param file the main file; where empty, {@code BERTH_CONFIG} or {@link #DEFAULT_FILE}, which may be absent
     * @param environment the process' environment
     * @param flags values by key name, as given on the command line
     * @throws ConfigException with every problem found
     */
    public static BerthConfig load(Optional<Path> file, Map<String, String> environment,
            Map<String, String> flags)
            throws ConfigException {
        var loader = new ConfigLoader();
        loader.readFiles(file.or(() -> Optional.ofNullable(environment.get("BERTH_CONFIG")).map(Path::of)));
        loader.readEnvironment(environment);
        loader.readFlags(flags);
        return loader.build();
    }

    /** The defaults, with {@code overrides} by key name over them. For tests and tools: reads no file. */
    public static BerthConfig defaults(Map<String, String> overrides) throws ConfigException {
        var loader = new ConfigLoader();
        loader.readFlags(overrides);
        return loader.build();
    }

    /** The default file: every key with its default and what it means. */
    public static String defaultFile() {
        try (InputStream in = ConfigLoader.class.getResourceAsStream("config.toml")) {
            if (in == null) {
                throw new IllegalStateException("config.toml is missing from the jar; the build is broken");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("config.toml in the jar cannot be read", e);
        }
    }

    /** Configuration of TOML text alone; {@code name} stands for the file in messages. */
    static BerthConfig parse(String name, String toml) throws ConfigException {
        var loader = new ConfigLoader();
        new TomlFiles(loader.settings).readText(name, toml);
        return loader.build();
    }

    private void readFiles(Optional<Path> named) {
        if (named.isPresent() && !Files.exists(named.get())) {
            settings.problem(named.get().toString(),
                    "no such file; \"berth config default\" prints one to start from");
            return;
        }
        new TomlFiles(settings).read(named.orElse(DEFAULT_FILE).toAbsolutePath());
    }

    private void readEnvironment(Map<String, String> environment) {
        Map<String, ConfigKey<?>> byVariable = new LinkedHashMap<>();
        ConfigKey.ALL.forEach(
                key -> key.environmentVariable().ifPresent(variable -> byVariable.put(variable, key)));
        environment.forEach((variable, value) -> {
            ConfigKey<?> key = byVariable.get(variable);
            if (key != null) {
                settings.set(key, List.of(key.name().split("\\.")), key.type().fromText(), value,
                        "environment " + variable);
            } else if (variable.startsWith("BERTH_") && !OTHER_VARIABLES.contains(variable)) {
                settings.problem("environment " + variable,
                        "sets no known key; a key's variable is its name in capitals, as BERTH_CNI_CONF_DIR");
            }
        });
    }

    private void readFlags(Map<String, String> flags) {
        flags.forEach((name, value) -> {
            List<String> path = List.of(name.split("\\."));
            ConfigKey<?> key = ConfigKey.ALL.stream().filter(k -> k.names(path)).findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("no such key: " + name));
            settings.set(key, path, key.type().fromText(), value,
                    "flag --" + path.getLast().replace('_', '-'));
        });
    }

    private BerthConfig build() throws ConfigException {
        Map<String, BerthConfig.OciHandler> runtimes = runtimes();
        check(runtimes);
        if (!settings.problems().isEmpty()) {
            throw new ConfigException(settings.problems());
        }
        return new BerthConfig(settings.get(ConfigKey.ROOT), settings.get(ConfigKey.STATE),
                settings.get(ConfigKey.SOCKET), settings.get(ConfigKey.SHIM),
                settings.get(ConfigKey.DEFAULT_RUNTIME),
                settings.get(ConfigKey.CGROUP_DRIVER), settings.get(ConfigKey.SELINUX),
                new BerthConfig.Log(settings.get(ConfigKey.LOG_LEVEL),
                        settings.get(ConfigKey.LOG_FORMAT).equals("json")),
                runtimes,
                new BerthConfig.Registry(settings.get(ConfigKey.REGISTRIES_CONF),
                        settings.get(ConfigKey.HOSTS_DIRS), settings.get(ConfigKey.CERTS_DIRS),
                        settings.get(ConfigKey.AUTH_FILE), settings.get(ConfigKey.SIGNATURE_POLICY),
                        new BerthConfig.Proxies(settings.get(ConfigKey.HTTP_PROXY),
                                settings.get(ConfigKey.HTTPS_PROXY), settings.get(ConfigKey.NO_PROXY)),
                        intOf(ConfigKey.PARALLEL_LAYERS), settings.get(ConfigKey.PINNED_IMAGES)),
                new BerthConfig.Cni(settings.get(ConfigKey.CNI_BIN_DIRS),
                        settings.get(ConfigKey.CNI_CONF_DIR), settings.get(ConfigKey.CNI_CONF_TEMPLATE),
                        settings.get(ConfigKey.CNI_TIMEOUT)),
                new BerthConfig.Streaming(settings.get(ConfigKey.STREAMING_ADDRESS),
                        intOf(ConfigKey.STREAMING_PORT), settings.get(ConfigKey.STREAMING_CERTIFICATE),
                        settings.get(ConfigKey.STREAMING_KEY), settings.get(ConfigKey.STREAMING_IDLE)),
                new BerthConfig.Metrics(settings.get(ConfigKey.METRICS_ENABLED),
                        settings.get(ConfigKey.METRICS_ADDRESS), intOf(ConfigKey.METRICS_PORT)),
                new BerthConfig.Seccomp(settings.get(ConfigKey.SECCOMP_PROFILE)),
                new BerthConfig.Cdi(settings.get(ConfigKey.CDI_SPEC_DIRS)),
                new BerthConfig.Timeouts(settings.get(ConfigKey.OCI_TIMEOUT),
                        settings.get(ConfigKey.SHIM_TIMEOUT)),
                new BerthConfig.Limits(settings.get(ConfigKey.EXEC_SYNC_OUTPUT),
                        settings.get(ConfigKey.PIDS),
                        new LayerLimits(settings.get(ConfigKey.LAYER_ENTRIES),
                                settings.get(ConfigKey.LAYER_BYTES), settings.get(ConfigKey.LAYER_RATIO))));
    }

    private Map<String, BerthConfig.OciHandler> runtimes() {
        List<String> names = new ArrayList<>(ConfigKey.DEFAULT_HANDLERS);
        settings.namesBelow("runtimes").stream().filter(name -> !names.contains(name)).forEach(names::add);
        Map<String, BerthConfig.OciHandler> runtimes = new LinkedHashMap<>();
        for (String name : names) {
            String path = settings.get(ConfigKey.RUNTIME_PATH, List.of("runtimes", name, "path"));
            List<String> arguments = settings.get(ConfigKey.RUNTIME_ARGS, List.of("runtimes", name, "args"));
            if (!HANDLER_NAME.matcher(name).matches()) {
                settings.problem("runtimes." + name,
                        "a handler's name is a DNS label (a-z, 0-9, -), as RuntimeClass wants it");
            }
            runtimes.put(name, new BerthConfig.OciHandler(path.isEmpty() ? name : path, arguments));
        }
        return Collections.unmodifiableMap(runtimes);
    }

    /** What no single key can know. */
    private void check(Map<String, BerthConfig.OciHandler> runtimes) {
        String defaultRuntime = settings.get(ConfigKey.DEFAULT_RUNTIME);
        if (!runtimes.containsKey(defaultRuntime)) {
            settings.problem(settings.origin(ConfigKey.DEFAULT_RUNTIME),
                    "default_runtime is \"" + defaultRuntime
                            + "\", which is not among the runtimes " + String.join(", ", runtimes.keySet())
                            + "; add [runtimes."
                            + defaultRuntime + "] or choose one of them");
        }
        Path socket = settings.get(ConfigKey.SOCKET);
        int bytes = socket.toString().getBytes(StandardCharsets.UTF_8).length;
        if (bytes > MAX_SOCKET_PATH_BYTES) {
            settings.problem(settings.origin(ConfigKey.SOCKET),
                    "socket is " + bytes + " bytes long; it may have at most "
                            + MAX_SOCKET_PATH_BYTES + ": " + socket);
        }
        if (settings.get(ConfigKey.ROOT).equals(settings.get(ConfigKey.STATE))) {
            settings.problem(settings.origin(ConfigKey.STATE),
                    "state and root are the same directory; state must be emptied at boot, root must not");
        }
        if (settings.get(ConfigKey.STREAMING_CERTIFICATE).isPresent() != settings.get(ConfigKey.STREAMING_KEY)
                .isPresent()) {
            settings.problem(settings.origin(ConfigKey.STREAMING_CERTIFICATE),
                    "streaming.tls_certificate and streaming.tls_key go together; set both for https, none for http");
        }
        String metrics = settings.get(ConfigKey.METRICS_ADDRESS);
        if (settings.get(ConfigKey.METRICS_ENABLED) && !InetAddress.ofLiteral(metrics).isLoopbackAddress()) {
            settings.problem(settings.origin(ConfigKey.METRICS_ADDRESS), "metrics.address is " + metrics
                    + ", but the endpoint has no authentication and is served on loopback only; use 127.0.0.1 or ::1"
                    + " and let an agent on the node scrape it");
        }
    }

    private int intOf(ConfigKey<Long> key) {
        return Math.toIntExact(settings.get(key));
    }
}
