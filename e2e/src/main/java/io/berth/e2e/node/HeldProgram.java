package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/**
 * A script in the place of an OCI runtime or CNI plugin, which does what that does, and can be made to hang or fail at one of
 * its commands ({@code create}, {@code start}, {@code ADD}, ...).
 */
public final class HeldProgram {
    private final Path directory;
    private final Path script;

    private HeldProgram(Path directory, Path script) {
        this.directory = directory;
        this.script = script;
    }

    /** Stands before {@code program} as {@code name} in a directory of its own. */
    public static HeldProgram of(String name, Path program) {
        try {
            Path directory = Files.createTempDirectory(Node.workspace(), "h");
            Path script = directory.resolve("bin").resolve(name);
            Files.createDirectories(script.getParent());
            Files.writeString(script,
                    """
                        #!/bin/sh
                        command=${CNI_COMMAND-}
                        for word; do
                            case $word in create|start|kill|delete|exec|update) [ -n "$command" ] || command=$word ;; esac
                        done
                        echo "$command" >> %1$s/calls
                        while [ -e "%1$s/hold-$command" ]; do sleep 0.05; done
                        if [ -e "%1$s/fail-$command" ]; then
                            [ -z "${CNI_COMMAND-}" ] || echo '{"cniVersion": "0.4.0", "code": 100, "msg": "made to fail"}'
                            echo "made to fail" >&2
                            exit 1
                        fi
                        exec %2$s "$@"
                        """.formatted(
                            directory, program));
            Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
            return new HeldProgram(directory, script);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The script. */
    public Path path() {
        return script;
    }

    /** The daemon's setting that makes it the OCI runtime of {@code handler}. */
    public String asRuntime(String handler) {
        return "runtimes.%s.path = \"%s\"".formatted(handler, script);
    }

    /** The daemon's setting that has it take this plugin before the one of that name that the node has. */
    public String asPlugin() {
        return "cni.bin_dirs = [\"%s\", \"/usr/lib/cni\"]"
                .formatted(script.resolveSibling("").toAbsolutePath().normalize());
    }

    /** How many processes work for it. */
    public long processes() {
        return ProcessHandle.allProcesses().filter(process -> process.info().commandLine().orElse("")
                .contains(script.toString())
                && !process.info().command().orElse("").endsWith("/java"))
                .count();
    }

    /** A state that ends when it is closed. */
    public interface Until extends AutoCloseable {
        @Override
        void close();
    }

    /** From now on {@code command} does not get on. */
    public Until hold(String command) {
        return mark("hold-" + command);
    }

    /** From now on {@code command} fails. */
    public Until fail(String command) {
        return mark("fail-" + command);
    }

    /** How often {@code command} was begun. */
    public long calls(String command) {
        try {
            Path calls = directory.resolve("calls");
            return Files.exists(calls)
                    ? List.copyOf(Files.readAllLines(calls)).stream().filter(command::equals).count()
                    : 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Until mark(String name) {
        Path mark = directory.resolve(name);
        try {
            Files.writeString(mark, "");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return () -> {
            try {
                Files.deleteIfExists(mark);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        };
    }
}
