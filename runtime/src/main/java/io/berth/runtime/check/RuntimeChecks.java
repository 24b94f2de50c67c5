package io.berth.runtime.check;

import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.oci.Criu;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The OCI runtimes of the configuration, and the supervisor. */
record RuntimeChecks(Node node, BerthConfig config, Optional<Path> shim) {
    private static final String AREA = "runtime";
    private static final Duration CRIU_LIMIT = Duration.ofSeconds(10);

    List<Finding> run() {
        List<Finding> findings = new ArrayList<>();
        config.runtimes().forEach((name, handler) -> findings.add(handler(name, handler.path())));
        findings.add(shimFinding());
        findings.add(criuFinding());
        return findings;
    }

    private Finding handler(String name, String path) {
        boolean isDefault = name.equals(config.defaultRuntime());
        String shown = isDefault ? name + " (default)" : name;
        Optional<Path> program = node.program(path);
        String remedy = "apt-get install " + name + ", or set [runtimes." + name + "] path"
                + (isDefault
                        ? ", or choose another default_runtime"
                        : "; until then pods of this handler are refused");
        if (program.isEmpty()) {
            return notThere(shown, path + " is not " + (path.startsWith("/") ? "an executable" : "on PATH"),
                    remedy, isDefault);
        }
        Optional<String> version = node.firstLine(program.get(), "--version");
        return version.isPresent()
                ? Finding.ok(AREA, shown, program.get() + ", " + version.get())
                : notThere(shown, program.get() + " --version fails", remedy, isDefault);
    }

    private static Finding notThere(String name, String found, String remedy, boolean needed) {
        return needed
                ? Finding.missing(AREA, name, found, remedy)
                : Finding.warning(AREA, name, found, remedy);
    }

    private Finding shimFinding() {
        String remedy = "install berth again, or set shim to the path of berth-shim";
        if (shim.isEmpty()) {
            return Finding.missing(AREA, "berth-shim", "not installed with this program", remedy);
        }
        String path = shim.get().toString();
        Optional<String> version = node.program(path)
                .flatMap(program -> node.firstLine(program, "--version"));
        return version.isPresent()
                ? Finding.ok(AREA, "berth-shim", path + ", " + version.get())
                : Finding.missing(AREA, "berth-shim", path + " --version fails", remedy);
    }

    /** Only checkpoints need it. */
    private Finding criuFinding() {
        Optional<Path> program = node.program("criu");
        if (program.isEmpty()) {
            return Finding.warning(AREA, "criu", "is not on PATH",
                    "apt-get install criu; until then checkpoints are refused");
        }
        return Criu.check(program.get(), CRIU_LIMIT)
                .map(reason -> Finding.warning(AREA, "criu", program.get() + " check: " + reason,
                        "install a criu as new as the kernel; until then checkpoints are refused"))
                .orElseGet(() -> Finding.ok(AREA, "criu", program.get().toString()));
    }
}
