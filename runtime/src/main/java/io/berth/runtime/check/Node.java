package io.berth.runtime.check;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The node that is looked at. It only ever reads.
 *
 * @param root where {@code proc}, {@code sys}, {@code etc} and programs are; {@code /} but for tests
 * @param searchPath where programs are looked up by name
 */
record Node(Path root, List<Path> searchPath) {
    private static final long COMMAND_SECONDS = 10;

    /** This machine, with the {@code PATH} of {@code environment} and the usual places of system programs. */
    static Node thisOne(@Nullable String path) {
        Stream<String> own = path == null ? Stream.empty() : Stream.of(path.split(":"));
        return new Node(Path.of("/"), Stream
                .concat(own,
                        Stream.of("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin",
                                "/bin"))
                .filter(directory -> directory.startsWith("/")).distinct().map(Path::of).toList());
    }

    /** The place of an absolute path on this node. */
    Path at(String absolute) {
        return root.resolve(absolute.substring(1));
    }

    /** A file's text without surrounding space; empty where it cannot be read. */
    String read(String absolute) {
        try {
            return Files.readString(at(absolute), StandardCharsets.UTF_8).strip();
        } catch (IOException e) {
            return "";
        }
    }

    boolean exists(String absolute) {
        return Files.exists(at(absolute));
    }

    /** The executable that {@code nameOrPath} means. */
    Optional<Path> program(String nameOrPath) {
        Stream<Path> candidates = nameOrPath.startsWith("/")
                ? Stream.of(at(nameOrPath))
                : searchPath.stream().map(directory -> directory.resolve(nameOrPath));
        return candidates.filter(file -> Files.isRegularFile(file) && Files.isExecutable(file)).findFirst();
    }

    /** The first line that {@code command} prints; empty where it fails, prints nothing or takes too long. */
    Optional<String> firstLine(Path program, String... arguments) {
        try {
            Process process = new ProcessBuilder(
                    Stream.concat(Stream.of(program.toString()), Stream.of(arguments)).toList())
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile())).start();
            // Its few lines fit the pipe, so it can end before anybody reads.
            if (!process.waitFor(COMMAND_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return Optional.empty();
            }
            try (var reader = process.inputReader(StandardCharsets.UTF_8)) {
                Optional<String> line = Optional.ofNullable(reader.readLine());
                return process.exitValue() == 0 ? line : Optional.empty();
            }
        } catch (IOException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }
}
