package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.runtime.cgroup.Cgroups;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.lang.module.ModuleDescriptor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** An OCI runtime by its command line: runc, crun, and what takes the same arguments. Thread-safe. */
public final class CliOciRuntime implements OciRuntime {
    /** The newest spec version whose features Berth writes. */
    private static final String NEWEST_WRITTEN = "1.1.0";
    private static final String SPEC_LINE = "spec:";
    private static final byte[] NOTHING = {};

    /** How to reach a runtime. */
    private record Invocation(String name, List<String> command, Path stateRoot) {}

    private final Invocation invocation;
    private final String version;
    private final String ociVersion;
    private final HandlerFeatures features;
    private final MeterRegistry meters;

    private CliOciRuntime(Invocation invocation, String versionText, @Nullable JsonNode features,
            HostFacts host,
            MeterRegistry meters) throws OciException {
        this.invocation = invocation;
        this.version = versionText.lines().findFirst().orElse("");
        this.ociVersion = ociVersion(invocation.name(), versionText, features);
        this.features = features == null
                ? HandlerFeatures.ofVersion(version, host)
                : HandlerFeatures.of(features, host);
        this.meters = meters;
    }

    /**
     * Finds the executable and asks it once for its version and features.
     *
     * @param name the handler's name in the configuration
     * @param executable absolute path, or a name to look up on PATH
     * @param arguments further global arguments
     * @param stateRoot its {@code --root}
     * @throws OciException FAILED where it is absent, does not answer by {@code deadline} or is no OCI runtime
     */
    public static CliOciRuntime open(String name, String executable, List<String> arguments, Path stateRoot,
            Cgroups.Driver driver, HostFacts host, MeterRegistry meters, Duration deadline)
            throws OciException {
        String path = find(name, executable);
        List<String> command = new ArrayList<>(
                List.of(path, "--root", stateRoot.toString(), "--log-format", "json"));
        if (driver == Cgroups.Driver.SYSTEMD) {
            command.add("--systemd-cgroup");
        }
        command.addAll(arguments);
        OciCommand.Result version = OciCommand.run(List.of(path, "--version"), NOTHING, deadline);
        if (version.exitCode() != 0) {
            throw new OciException(OciException.Kind.FAILED,
                    "runtime handler " + name + ": " + path + " --version failed: " + version.error());
        }
        OciCommand.Result features = OciCommand.run(List.of(path, "features"), NOTHING, deadline);
        JsonNode document = features.exitCode() == 0 && features.output().startsWith("{")
                ? OciSpec.parseJson(features.output().getBytes(StandardCharsets.UTF_8), path + " features")
                : null;
        return new CliOciRuntime(new Invocation(name, List.copyOf(command), stateRoot), version.output(),
                document,
                host, meters);
    }

    @Override
    public String name() {
        return invocation.name();
    }

    @Override
    public List<String> command() {
        return invocation.command();
    }

    @Override
    public String ociVersion() {
        return ociVersion;
    }

    @Override
    public HandlerFeatures features() {
        return features;
    }

    @Override
    public String version() {
        return version;
    }

    @Override
    public Path stateRoot() {
        return invocation.stateRoot();
    }

    @Override
    public void delete(String containerId, Duration deadline) throws OciException {
        OciCommand.Result result = call("delete", NOTHING, deadline, "--force", containerId);
        if (result.exitCode() != 0 && !isAbsent(result.error())) {
            throw failure("delete", containerId, result);
        }
    }

    @Override
    public void killAll(String containerId, int signal, Duration deadline) throws OciException {
        OciCommand.Result result = call("kill", NOTHING, deadline, "--all", containerId,
                Integer.toString(signal));
        boolean ended = isAbsent(result.error()) || result.error().contains("not running");
        if (result.exitCode() != 0 && !ended) {
            throw failure("kill", containerId, result);
        }
    }

    @Override
    public void update(String containerId, byte[] resourcesJson, Duration deadline) throws OciException {
        OciCommand.Result result = call("update", resourcesJson, deadline, "--resources", "/dev/stdin",
                containerId);
        if (result.exitCode() != 0) {
            throw failure("update", containerId, result);
        }
    }

    @Override
    public void requireCriu(Duration deadline) throws OciException {
        OciCommand.Result result = call("checkpoint", NOTHING, deadline, "--help");
        if (result.exitCode() != 0) {
            throw new OciException(OciException.Kind.UNSUPPORTED, "runtime handler " + name()
                    + " cannot checkpoint (" + result.error()
                    + "): its OCI runtime is built without criu; use a"
                    + " handler whose runtime has it, such as runc");
        }
        Optional<String> reason = Criu.unable(deadline);
        if (reason.isPresent()) {
            throw new OciException(OciException.Kind.UNSUPPORTED, reason.get());
        }
    }

    @Override
    public void pause(String containerId, Duration deadline) throws OciException {
        OciCommand.Result result = call("pause", NOTHING, deadline, containerId);
        if (result.exitCode() != 0) {
            throw failure("pause", containerId, result);
        }
    }

    @Override
    public void resume(String containerId, Duration deadline) throws OciException {
        OciCommand.Result result = call("resume", NOTHING, deadline, containerId);
        boolean runs = isAbsent(result.error()) || result.error().contains("not paused");
        if (result.exitCode() != 0 && !runs) {
            throw failure("resume", containerId, result);
        }
    }

    @Override
    public void checkpoint(String containerId, Path images, Path work, Duration deadline)
            throws OciException {
        OciCommand.Result result = call("checkpoint", NOTHING, deadline, "--image-path", images.toString(),
                "--work-path", work.toString(), "--leave-running", "--file-locks", containerId);
        if (result.exitCode() != 0) {
            throw failure("checkpoint", containerId, result);
        }
    }

    @Override
    public List<String> list(Duration deadline) throws OciException {
        OciCommand.Result result = call("list", NOTHING, deadline, "-q");
        if (result.exitCode() != 0) {
            throw new OciException(OciException.Kind.FAILED, name() + " list: " + result.error());
        }
        return result.output().lines().map(String::strip).filter(id -> !id.isEmpty()).toList();
    }

    private OciCommand.Result call(String name, byte[] input, Duration deadline, String... arguments)
            throws OciException {
        List<String> command = new ArrayList<>(invocation.command());
        command.add(name);
        command.addAll(List.of(arguments));
        Timer.Sample sample = Timer.start(meters);
        try {
            return OciCommand.run(command, input, deadline);
        } finally {
            sample.stop(Timer.builder("berth.oci")
                    .description("Calls of an OCI runtime's command line")
                    .tag("call", name)
                    .tag("runtime", invocation.name())
                    .register(meters));
        }
    }

    private OciException failure(String call, String containerId, OciCommand.Result result) {
        return new OciException(OciException.Kind.FAILED,
                name() + " " + call + " of container " + containerId + " (exit code " + result.exitCode()
                        + "): "
                        + result.error());
    }

    /** runc says it; crun names the status file that it did not find. */
    private static boolean isAbsent(String error) {
        return error.contains("container does not exist")
                || (error.contains("/status") && error.contains("No such file or directory"));
    }

    private static String find(String name, String executable) throws OciException {
        if (executable.contains("/")) {
            return executable;
        }
        return onPath(executable).map(Path::toString)
                .orElseThrow(() -> new OciException(OciException.Kind.FAILED, "runtime handler " + name + ": "
                        + executable + " is not on PATH (" + path() + "); install it, or set runtimes."
                        + name + ".path"));
    }

    /** The program that a shell would run. */
    static Optional<Path> onPath(String executable) {
        for (String directory : path().split(":")) {
            Path candidate = Path.of(directory, executable);
            if (Files.isExecutable(candidate)) {
                return Optional.of(candidate);
            }
        }
        return Optional.empty();
    }

    private static String path() {
        return Optional.ofNullable(System.getenv("PATH")).orElse("/usr/sbin:/usr/bin:/sbin:/bin");
    }

    /** The older of what the runtime reads and what Berth writes. */
    private static String ociVersion(String name, String versionText, @Nullable JsonNode features)
            throws OciException {
        String stated = features != null && features.has("ociVersionMax")
                ? features.path("ociVersionMax").asText()
                : versionText.lines()
                        .filter(line -> line.startsWith(SPEC_LINE))
                        .map(line -> line.substring(SPEC_LINE.length()).strip())
                        .findFirst()
                        .orElseThrow(() -> new OciException(OciException.Kind.FAILED, "runtime handler "
                                + name
                                + " does not say which OCI spec it reads; is it an OCI runtime? It said: "
                                + versionText.strip()));
        // A "-dev" or "+dev" version has what the release before it has.
        String release = stated.split("[-+]")[0];
        return ModuleDescriptor.Version.parse(release)
                .compareTo(ModuleDescriptor.Version.parse(NEWEST_WRITTEN)) < 0 ? release : NEWEST_WRITTEN;
    }
}
