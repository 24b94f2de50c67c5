package io.berth.runtime.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * The daemon's whole configuration after defaults, file, environment and flags were merged.
 *
 * @param root persistent state: images, database ({@code /var/lib/berth})
 * @param state volatile state: sockets, mounts, namespaces ({@code /run/berth})
 * @param socket the CRI socket ({@code /run/berth/berth.sock})
 * @param runtimes OCI runtimes by handler name
 * @param defaultRuntime the handler for an empty CRI {@code runtime_handler}
 * @param cgroupDriver {@code auto}, {@code cgroupfs} or {@code systemd}
 * @param shim path of {@code berth-shim}
 */
public record BerthConfig(Path root, Path state, Path socket, Map<String, OciHandler> runtimes,
        String defaultRuntime,
        String cgroupDriver, Path shim, Registry registry, Cni cni, Streaming streaming, Metrics metrics,
        Seccomp seccomp, Timeouts timeouts, Limits limits) {
    /** @param path absolute path of the OCI runtime's executable, or a name to look up on PATH */
    public record OciHandler(String path, List<String> arguments) {}

    /** @param registriesConf containers registries.conf v2 */
    public record Registry(Path registriesConf, int parallelLayers, List<String> pinned) {}

    public record Cni(List<Path> binDirs, Path confDir, Duration timeout) {}

    /** @param port 0 for any free one */
    public record Streaming(String address, int port) {}

    public record Metrics(boolean enabled, String address, int port) {}

    /** @param profile a profile file in place of the built-in RuntimeDefault, or an empty path */
    public record Seccomp(Path profile) {}

    /**
     * @param oci deadline of one call of an OCI runtime
     * @param shim deadline of one call of a shim
     */
    public record Timeouts(Duration oci, Duration shim) {}

    /** @param pidsLimit tasks a container may have unless its request says otherwise; 0 for no limit */
    public record Limits(long maxExecSyncOutputBytes, long pidsLimit) {}
}
