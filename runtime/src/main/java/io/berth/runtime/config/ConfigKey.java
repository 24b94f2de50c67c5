package io.berth.runtime.config;

import io.berth.imagestore.LayerLimits;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * One key of the configuration. The list {@link #ALL} is the whole vocabulary: a key that is not in it is an error.
 *
 * @param name dotted name in TOML, such as {@code registry.parallel_layers}
 * @param defaultValue what holds when nobody sets the key
 */
record ConfigKey<T>(String name, ValueType<T> type, T defaultValue) {

    static final ConfigKey<Path> ROOT = path("root", "/var/lib/berth");
    static final ConfigKey<Path> STATE = path("state", "/run/berth");
    static final ConfigKey<Path> SOCKET = path("socket", "/run/berth/berth.sock");
    static final ConfigKey<Optional<Path>> SHIM = new ConfigKey<>("shim", ValueType.OPTIONAL_PATH,
            Optional.empty());
    static final ConfigKey<String> DEFAULT_RUNTIME = new ConfigKey<>("default_runtime", ValueType.STRING,
            "runc");
    static final ConfigKey<String> CGROUP_DRIVER = new ConfigKey<>("cgroup_driver",
            ValueType.oneOf("auto", "cgroupfs", "systemd"), "auto");

    static final ConfigKey<Boolean> SELINUX = new ConfigKey<>("selinux", ValueType.BOOLEAN, true);

    static final ConfigKey<String> LOG_LEVEL = new ConfigKey<>("log.level",
            ValueType.oneOf("error", "warn", "info", "debug", "trace"), "info");
    static final ConfigKey<String> LOG_FORMAT = new ConfigKey<>("log.format", ValueType.oneOf("text", "json"),
            "text");

    static final ConfigKey<Path> REGISTRIES_CONF = path("registry.registries_conf",
            "/etc/containers/registries.conf");
    static final ConfigKey<List<Path>> CERTS_DIRS = new ConfigKey<>("registry.certs_dirs", ValueType.PATHS,
            List.of(Path.of("/etc/containers/certs.d"), Path.of("/etc/docker/certs.d")));
    static final ConfigKey<List<Path>> HOSTS_DIRS = new ConfigKey<>("registry.hosts_dirs", ValueType.PATHS,
            List.of(Path.of("/etc/containerd/certs.d")));
    static final ConfigKey<Optional<Path>> AUTH_FILE = new ConfigKey<>("registry.auth_file",
            ValueType.OPTIONAL_PATH, Optional.empty());
    static final ConfigKey<Optional<Path>> SIGNATURE_POLICY = new ConfigKey<>("registry.signature_policy",
            ValueType.OPTIONAL_PATH, Optional.empty());
    static final ConfigKey<String> HTTP_PROXY = new ConfigKey<>("registry.http_proxy", ValueType.STRING, "");
    static final ConfigKey<String> HTTPS_PROXY = new ConfigKey<>("registry.https_proxy", ValueType.STRING,
            "");
    static final ConfigKey<List<String>> NO_PROXY = new ConfigKey<>("registry.no_proxy", ValueType.STRINGS,
            List.of());
    static final ConfigKey<Long> PARALLEL_LAYERS = new ConfigKey<>("registry.parallel_layers",
            ValueType.number(1, 64), 6L);
    static final ConfigKey<List<String>> PINNED_IMAGES = new ConfigKey<>("registry.pinned_images",
            ValueType.STRINGS,
            List.of());

    static final ConfigKey<List<Path>> CNI_BIN_DIRS = new ConfigKey<>("cni.bin_dirs", ValueType.PATHS,
            List.of(Path.of("/opt/cni/bin"), Path.of("/usr/lib/cni")));
    static final ConfigKey<Path> CNI_CONF_DIR = path("cni.conf_dir", "/etc/cni/net.d");
    static final ConfigKey<Optional<Path>> CNI_CONF_TEMPLATE = new ConfigKey<>("cni.conf_template",
            ValueType.OPTIONAL_PATH, Optional.empty());
    static final ConfigKey<Duration> CNI_TIMEOUT = duration("cni.timeout", 60);

    static final ConfigKey<String> STREAMING_ADDRESS = new ConfigKey<>("streaming.address", IpLiteral.TYPE,
            "127.0.0.1");
    static final ConfigKey<Long> STREAMING_PORT = new ConfigKey<>("streaming.port",
            ValueType.number(0, 65535), 0L);
    static final ConfigKey<Optional<Path>> STREAMING_CERTIFICATE = new ConfigKey<>(
            "streaming.tls_certificate",
            ValueType.OPTIONAL_PATH, Optional.empty());
    static final ConfigKey<Optional<Path>> STREAMING_KEY = new ConfigKey<>("streaming.tls_key",
            ValueType.OPTIONAL_PATH, Optional.empty());
    static final ConfigKey<Duration> STREAMING_IDLE = duration("streaming.idle_timeout", 4 * 60 * 60);

    static final ConfigKey<Boolean> METRICS_ENABLED = new ConfigKey<>("metrics.enabled", ValueType.BOOLEAN,
            false);
    static final ConfigKey<String> METRICS_ADDRESS = new ConfigKey<>("metrics.address", IpLiteral.TYPE,
            "127.0.0.1");
    static final ConfigKey<Long> METRICS_PORT = new ConfigKey<>("metrics.port", ValueType.number(0, 65535),
            9338L);

    static final ConfigKey<Optional<Path>> SECCOMP_PROFILE = new ConfigKey<>("seccomp.default_profile",
            ValueType.OPTIONAL_PATH, Optional.empty());

    static final ConfigKey<List<Path>> CDI_SPEC_DIRS = new ConfigKey<>("cdi.spec_dirs", ValueType.PATHS,
            List.of(Path.of("/etc/cdi"), Path.of("/var/run/cdi")));

    static final ConfigKey<Duration> OCI_TIMEOUT = duration("timeouts.oci", 60);
    static final ConfigKey<Duration> SHIM_TIMEOUT = duration("timeouts.shim", 10);

    static final ConfigKey<Long> EXEC_SYNC_OUTPUT = new ConfigKey<>("limits.exec_sync_output",
            ValueType.SIZE_BYTES,
            8L << 20);
    static final ConfigKey<Long> LAYER_ENTRIES = new ConfigKey<>("limits.layer_entries",
            ValueType.number(1, Long.MAX_VALUE), LayerLimits.DEFAULT.entries());
    static final ConfigKey<Long> LAYER_BYTES = new ConfigKey<>("limits.layer_bytes", ValueType.SIZE_BYTES,
            LayerLimits.DEFAULT.bytes());
    static final ConfigKey<Long> LAYER_RATIO = new ConfigKey<>("limits.layer_ratio",
            ValueType.number(1, Long.MAX_VALUE), LayerLimits.DEFAULT.ratio());
    static final ConfigKey<Long> PIDS = new ConfigKey<>("limits.pids", ValueType.number(0, 4_194_304), 0L);

    /** Of each handler, below {@code runtimes.<name>}. */
    static final ConfigKey<String> RUNTIME_PATH = new ConfigKey<>("runtimes.*.path", ValueType.STRING, "");
    static final ConfigKey<List<String>> RUNTIME_ARGS = new ConfigKey<>("runtimes.*.args", ValueType.STRINGS,
            List.of());

    static final List<ConfigKey<?>> ALL = List.of(ROOT, STATE, SOCKET, SHIM, DEFAULT_RUNTIME, CGROUP_DRIVER,
            SELINUX, LOG_LEVEL,
            LOG_FORMAT, REGISTRIES_CONF, HOSTS_DIRS, CERTS_DIRS, AUTH_FILE, SIGNATURE_POLICY,
            HTTP_PROXY, HTTPS_PROXY, NO_PROXY, PARALLEL_LAYERS, PINNED_IMAGES, CNI_BIN_DIRS,
            CNI_CONF_DIR,
            CNI_CONF_TEMPLATE, CNI_TIMEOUT,
            STREAMING_ADDRESS, STREAMING_PORT, STREAMING_CERTIFICATE, STREAMING_KEY, STREAMING_IDLE,
            METRICS_ENABLED, METRICS_ADDRESS, METRICS_PORT,
            SECCOMP_PROFILE, CDI_SPEC_DIRS,
            OCI_TIMEOUT, SHIM_TIMEOUT, EXEC_SYNC_OUTPUT, PIDS, LAYER_ENTRIES, LAYER_BYTES, LAYER_RATIO,
            RUNTIME_PATH, RUNTIME_ARGS);

    /** The handlers that are there without any configuration. */
    static final List<String> DEFAULT_HANDLERS = List.of("runc", "crun");

    /** The environment variable that sets this key; empty for a key that has one instance for each handler. */
    Optional<String> environmentVariable() {
        return name.contains("*")
                ? Optional.empty()
                : Optional.of("BERTH_" + name.replace('.', '_').toUpperCase(Locale.ROOT));
    }

    /** Whether {@code path} is this key, or one of its instances. */
    boolean names(List<String> path) {
        String[] parts = parts();
        return parts.length == path.size() && startsLike(path);
    }

    /** Whether {@code path} is a table that holds this key. */
    boolean isBelow(List<String> path) {
        return path.size() < parts().length && startsLike(path);
    }

    private boolean startsLike(List<String> path) {
        String[] parts = parts();
        for (int i = 0; i < path.size(); i++) {
            if (!parts[i].equals("*") && !parts[i].equals(path.get(i))) {
                return false;
            }
        }
        return true;
    }

    private String[] parts() {
        return name.split("\\.");
    }

    /** The declared name that is nearest to what somebody wrote, if any is near enough to be a typing error. */
    static Optional<String> nearest(List<String> path) {
        String written = String.join(".", path);
        String last = path.getLast();
        String best = "";
        int bestDistance = Integer.MAX_VALUE;
        for (ConfigKey<?> key : ALL) {
            // "bin_dirs" at the top is as likely a forgotten [cni] as a typing error.
            String lastPart = key.parts()[key.parts().length - 1];
            String name = path.size() == 3 && key.name.contains("*")
                    ? key.name.replace("*", path.get(1))
                    : key.name;
            int distance = Math.min(distance(written, name), distance(last, lastPart));
            if (distance < bestDistance) {
                best = name.replace("*", "<name>");
                bestDistance = distance;
            }
        }
        return bestDistance <= Math.max(1, last.length() / 3) ? Optional.of(best) : Optional.empty();
    }

    /** Levenshtein's edit distance. */
    private static int distance(String a, String b) {
        int[] previous = new int[b.length() + 1];
        Arrays.setAll(previous, i -> i);
        for (int i = 1; i <= a.length(); i++) {
            int[] current = new int[b.length() + 1];
            current[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replaced = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                current[j] = Math.min(replaced, 1 + Math.min(previous[j], current[j - 1]));
            }
            previous = current;
        }
        return previous[b.length()];
    }

    private static ConfigKey<Path> path(String name, String defaultValue) {
        return new ConfigKey<>(name, ValueType.PATH, Path.of(defaultValue));
    }

    private static ConfigKey<Duration> duration(String name, long seconds) {
        return new ConfigKey<>(name, ValueType.DURATION_TEXT, Duration.ofSeconds(seconds));
    }
}
