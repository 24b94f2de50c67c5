package io.berth.runtime.oci;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The {@code criu} program, which OCI runtimes find on the daemon's PATH. */
public final class Criu {
    private static final byte[] NOTHING = {};

    private Criu() {}

    /** Where it is; empty where it is not on PATH. */
    public static Optional<Path> find() {
        return CliOciRuntime.onPath("criu");
    }

    /** Why no container can be checkpointed or restored on this node; empty where nothing is against it. */
    static Optional<String> unable(Duration limit) {
        Optional<Path> criu = find();
        if (criu.isEmpty()) {
            return Optional.of("criu is not on the daemon's PATH; install it (Debian package criu)");
        }
        return check(criu.get(), limit).map(reason -> "criu does not work on this node: " + criu.get()
                + " check says \"" + reason + "\"; a criu as new as the kernel is needed");
    }

    /** What {@code criu check} complains of; empty where it is content. */
    public static Optional<String> check(Path criu, Duration limit) {
        try {
            OciCommand.Result result = OciCommand.run(List.of(criu.toString(), "check"), NOTHING, limit);
            return result.exitCode() == 0
                    ? Optional.empty()
                    : Optional.of(firstLine(result.error() + "\n" + result.output()));
        } catch (IOException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }

    /** The first error is the cause, the rest follow from it. */
    private static String firstLine(String text) {
        return text.lines().filter(line -> line.contains("Error")).findFirst()
                .or(() -> text.lines().filter(line -> !line.isBlank()).findFirst())
                .map(line -> line.replaceFirst("^(?:\\([0-9.]+\\)\\s+)?Error \\([^)]*\\): ", "").strip())
                .orElse("nothing");
    }
}
