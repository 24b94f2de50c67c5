package io.berth.imagestore.registry;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Debian's docker-registry as a process on a free loopback port. Fails where the package is missing. */
final class TestRegistry implements AutoCloseable {
    private static final Pattern LISTENING = Pattern.compile("listening on 127\\.0\\.0\\.1:([0-9]+)");

    private final Process process;
    private final String host;

    private TestRegistry(Process process, String host) {
        this.process = process;
        this.host = host;
    }

    /** @param directory for its storage and configuration; registries may share one */
    static TestRegistry start(Path directory) throws IOException {
        return start(directory, "", "");
    }

    /**
     * @param http lines below {@code http:}, such as {@code tls: {...}}
     * @param top lines at the top level, such as {@code auth: {...}}
     */
    static TestRegistry start(Path directory, String http, String top) throws IOException {
        Path config = Files.createTempFile(directory, "registry", ".yml");
        Files.writeString(config, """
            version: 0.1
            log: {level: info, accesslog: {disabled: true}}
            storage: {filesystem: {rootdirectory: %s}}
            %s
            http:
              addr: 127.0.0.1:0
              %s
            """.formatted(directory.resolve("storage"), top, http));
        ProcessBuilder builder = new ProcessBuilder("docker-registry", "serve", config.toString())
                .redirectErrorStream(true);
        builder.environment().keySet().retainAll(List.of("PATH"));
        builder.environment().put("OTEL_TRACES_EXPORTER", "none");
        Process process = builder.start();
        BufferedReader log = process.inputReader(StandardCharsets.UTF_8);
        List<String> seen = new ArrayList<>();
        for (String line = log.readLine(); line != null; line = log.readLine()) {
            seen.add(line);
            Matcher listening = LISTENING.matcher(line);
            if (listening.find()) {
                Thread.ofVirtual().start(() -> discard(log));
                return new TestRegistry(process, "127.0.0.1:" + listening.group(1));
            }
        }
        throw new IOException("docker-registry ended: " + String.join("\n", seen));
    }

    /** Keeps the pipe from filling up. */
    private static void discard(BufferedReader log) {
        try (log) {
            log.transferTo(Writer.nullWriter());
        } catch (IOException e) {
            // The process has ended, and its pipe with it.
        }
    }

    /** {@code 127.0.0.1:port}. */
    String host() {
        return host;
    }

    @Override
    public void close() {
        process.destroyForcibly();
        process.onExit().join();
    }
}
