package io.berth.e2e.bench;

import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/**
 * A container writes 1 GiB in lines of 100 bytes; measured until all of it is in the log.
 *
 * @param image has {@code sh}, {@code yes} and {@code head}
 */
record LogsBenchmark(String image) implements Benchmark {
    private static final int LINE_BYTES = 100;
    private static final long LINES = (1L << 30) / LINE_BYTES;
    private static final String LAST = "all lines are written";
    private static final Duration TIMEOUT = Duration.ofMinutes(5);

    @Override
    public String name() {
        return "logs";
    }

    @Override
    public int defaultRuns() {
        return 3;
    }

    @Override
    public int warmUps() {
        return 0;
    }

    @Override
    public Map<String, Double> measure(Target target) {
        String script = "yes " + "x".repeat(LINE_BYTES - 1) + " | head -c " + LINES * LINE_BYTES + "; echo "
                + LAST;
        try (PodHandle pod = PodHandle.run(target.cri(), Configs.pod("bench-logs", target.logs()),
                target.handler())) {
            ContainerHandle container = pod.create(Configs.container("main", image, "sh", "-c", script));
            var watch = new Stopwatch();
            watch.time("logs_ms", () -> {
                container.start();
                Await.until("the last line is logged", TIMEOUT, () -> endsWithLastLine(container.logFile()),
                        ends -> ends);
            });
            checkLines(container.logFile());
            watch.derive("mib_per_second", times -> LINES * LINE_BYTES / 1048.576 / times.millis("logs_ms"));
            return watch.times();
        } finally {
            deleteLogs(target.logs());
        }
    }

    private static boolean endsWithLastLine(Path file) {
        try (var in = new RandomAccessFile(file.toFile(), "r")) {
            var tail = new byte[(int) Math.min(in.length(), LAST.length() + 1)];
            in.seek(in.length() - tail.length);
            in.readFully(tail);
            return new String(tail, StandardCharsets.US_ASCII).equals(LAST + "\n");
        } catch (IOException e) {
            // Not there yet, or it grew just now.
            return false;
        }
    }

    /** A runtime that loses lines would be fast. */
    private static void checkLines(Path file) {
        try (var in = Files.newInputStream(file)) {
            var buffer = new byte[1 << 20];
            long lines = 0;
            for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
                for (int i = 0; i < n; i++) {
                    lines += buffer[i] == '\n' ? 1 : 0;
                }
            }
            if (lines != LINES + 1) {
                throw new IllegalStateException("%s has %d lines, not %d".formatted(file, lines, LINES + 1));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void deleteLogs(Path logs) {
        try (var files = Files.walk(logs)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
