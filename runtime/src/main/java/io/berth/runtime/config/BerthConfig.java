package io.berth.runtime.config;

import io.berth.imagestore.LayerLimits;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The daemon's whole configuration after defaults, files, environment and flags were merged; {@link ConfigLoader} makes
 * and checks it. The default file ({@code berth config default}) documents every key.
 *
 * @param root persistent state: images, database ({@code /var/lib/berth})
 * @param state volatile state: sockets, mounts, namespaces ({@code /run/berth})
 * @param socket the CRI socket ({@code /run/berth/berth.sock})
 * @param shim path of {@code berth-shim}; empty for the one that is installed with the daemon
 * @param defaultRuntime the handler for an empty CRI {@code runtime_handler}; a key of {@code runtimes}
 * @param cgroupDriver {@code auto}, {@code cgroupfs} or {@code systemd}
 * @param selinux whether containers are labelled where the kernel has SELinux
 * @param runtimes OCI runtimes by handler name, in the order of the configuration
 */
public record BerthConfig(Path root, Path state, Path socket, Optional<Path> shim, String defaultRuntime,
        String cgroupDriver, boolean selinux, Log log, Map<String, OciHandler> runtimes, Registry registry,
        Cni cni,
        Streaming streaming, Metrics metrics, Seccomp seccomp, Cdi cdi, Timeouts timeouts, Limits limits) {

    /**
     * @param level {@code error}, {@code warn}, {@code info}, {@code debug} or {@code trace}
     * @param json one JSON object a line instead of text
     */
    public record Log(String level, boolean json) {}

    /**
     * @param path absolute path of the OCI runtime's executable, or a name to look up on PATH
     * @param arguments further global arguments, before the command's name
     */
    public record OciHandler(String path, List<String> arguments) {}

    /**
     * @param registriesConf containers registries.conf v2; need not exist
     * @param hostsDirs containerd's directories with {@code <registry>/hosts.toml}; the first that has a registry's wins
     * @param authFile credentials of this node, docker's config.json; empty for none
     * @param signaturePolicy containers-policy.json(5), which must exist; empty for the usual one where it exists
     * @param certsDirs containers-certs.d(5) directories; the first that has a registry's wins
     * @param parallelLayers layers downloaded and unpacked at the same time, over all pulls
     * @param pinned references that garbage collection never removes
     */
    public record Registry(Path registriesConf, List<Path> hostsDirs, List<Path> certsDirs,
            Optional<Path> authFile, Optional<Path> signaturePolicy, Proxies proxies, int parallelLayers,
            List<String> pinned) {}

    /**
     * Proxies for registries; where empty, the environment's hold. The text form hides them, for they may have a password.
     *
     * @param http {@code http://[user:password@]host[:port]}
     */
    public record Proxies(String http, String https, List<String> none) {
        @Override
        public String toString() {
            return "Proxies[redacted]";
        }
    }

    /**
     * @param confTemplate from which the configuration is made for the pods' addresses that kubelet tells; empty for none
     * @param timeout deadline of the whole plugin chain for one pod
     */
    public record Cni(List<Path> binDirs, Path confDir, Optional<Path> confTemplate, Duration timeout) {}

    /**
     * @param port 0 for any free one
     * @param tlsCertificate PEM chain; empty for plain HTTP
     * @param tlsKey its PKCS#8 key
     * @param idleTimeout a connection on which nothing moves for so long is closed
     */
    public record Streaming(String address, int port, Optional<Path> tlsCertificate, Optional<Path> tlsKey,
            Duration idleTimeout) {}

    /** @param port 0 for any free one, which the log names */
    public record Metrics(boolean enabled, String address, int port) {}

    /** @param defaultProfile a profile file in place of the built-in RuntimeDefault */
    public record Seccomp(Optional<Path> defaultProfile) {}

    /** @param specDirs directories of CDI spec files, the later ones over the earlier ones; need not exist */
    public record Cdi(List<Path> specDirs) {}

    /**
     * @param oci deadline of one call of an OCI runtime
     * @param shim deadline of one call of a shim
     */
    public record Timeouts(Duration oci, Duration shim) {}

    /**
     * @param maxExecSyncOutputBytes what ExecSync returns at most of stdout, and as much of stderr
     * @param pidsLimit tasks a container may have unless its request says otherwise; 0 for no limit
     * @param layer what a layer of an image may at most contain
     */
    public record Limits(long maxExecSyncOutputBytes, long pidsLimit, LayerLimits layer) {}
}
