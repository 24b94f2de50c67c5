package io.berth.e2e.node;

import io.berth.cri.v1.VersionRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.Cri;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** {@code berth daemon}, as built into {@code dist/}. */
public final class BerthDaemon implements CriServer {
    private static final Duration PROBE_DEADLINE = Duration.ofSeconds(2L * Await.SLOWNESS);

    private final Path directory;
    private final NodeProcess process;

    /**
     * How a daemon is to be run.
     *
     * @param directory for all its state, and its socket; its path must be short enough for that
     * @param root persistent state
     * @param environment further variables of its process
     * @param settings further lines of its configuration, keys in full ({@code metrics.enabled = true})
     */
    public record Options(Path directory, Path root, CniNetwork network, Path registriesConf,
            Map<String, String> environment, List<String> settings) {
        public Options {
            environment = Map.copyOf(environment);
            settings = List.copyOf(settings);
        }

        /** Everything in {@code directory}. */
        public static Options in(Path directory, CniNetwork network, Path registriesConf) {
            return new Options(directory, directory.resolve("root"), network, registriesConf, Map.of(),
                    List.of());
        }

        public Options withRoot(Path other) {
            return new Options(directory, other, network, registriesConf, environment, settings);
        }

        public Options withEnvironment(Map<String, String> variables) {
            return new Options(directory, root, network, registriesConf, variables, settings);
        }

        public Options withSettings(List<String> lines) {
            return new Options(directory, root, network, registriesConf, environment, lines);
        }
    }

    public BerthDaemon(Options options) {
        this.directory = options.directory();
        var text = new ArrayList<String>();
        text.add("""
            root = "%s"
            state = "%s"
            socket = "%s"
            registry.registries_conf = "%s"
            cni.conf_dir = "%s"
            """.formatted(options.root(), directory.resolve("state"), socket(), options.registriesConf(),
                options.network().configurations()));
        defaults().filter(setting -> options.settings().stream().noneMatch(line -> sameKey(line, setting)))
                .forEach(text::add);
        text.addAll(options.settings());
        try {
            Files.createDirectories(directory);
            Files.write(configuration(), text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        process = new NodeProcess("berth daemon", directory.resolve("daemon.log"), options.environment(),
                List.of(executable().toString(), "daemon", "--config", configuration().toString()));
    }

    /** What a test's own settings may replace. */
    private static Stream<String> defaults() {
        return Stream.concat(
                Stream.of(
                        "cgroup_driver = \"%s\"".formatted(Configs.SYSTEMD_DRIVER ? "systemd" : "cgroupfs")),
                Await.SLOWNESS == 1
                        ? Stream.of()
                        : Stream.of("timeouts.oci = \"%ds\"".formatted(60 * Await.SLOWNESS),
                                "timeouts.shim = \"%ds\"".formatted(10 * Await.SLOWNESS)));
    }

    private static boolean sameKey(String line, String other) {
        return line.split("=")[0].strip().equals(other.split("=")[0].strip());
    }

    /** Its configuration file. */
    public Path configuration() {
        return directory.resolve("config.toml");
    }

    /** The built {@code berth}; the property {@code berth.home} names its directory. */
    public static Path executable() {
        return Path.of(System.getProperty("berth.home", "dist")).resolve("bin/berth").toAbsolutePath();
    }

    @Override
    public Path socket() {
        return directory.resolve("berth.sock");
    }

    @Override
    public void start() {
        process.start(() -> answers(socket()));
    }

    @Override
    public void stop() {
        process.stop();
    }

    @Override
    public void kill() {
        process.kill();
    }

    @Override
    public long pid() {
        return process.pid();
    }

    @Override
    public String logTail() {
        return process.logTail();
    }

    static boolean answers(Path socket) {
        if (!Files.exists(socket)) {
            return false;
        }
        try (Cri cri = Cri.connect(socket)) {
            cri.runtime(PROBE_DEADLINE).version(VersionRequest.getDefaultInstance());
            return true;
        } catch (StatusRuntimeException e) {
            return false;
        }
    }
}
