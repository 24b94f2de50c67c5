package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ReopenContainerLogRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Footprint;
import io.berth.e2e.node.Cgroups;
import io.berth.e2e.node.ShimProcess;
import io.berth.e2e.node.Node;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.StandardCopyOption;
import java.util.function.BooleanSupplier;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Containers that harm themselves, and what their neighbours notice of it. */
@Testcontainers
final class BadContainersIT {
    private static final int PIDS_LIMIT = 200;
    private static final int PART_BYTES = 16 << 10;
    private static final int MEBIBYTE = 1 << 20;
    private static final int ROTATIONS = 6;
    /** Of one line; the property makes it a full GiB. */
    private static final int LINE_MEBIBYTES = Integer.getInteger("e2e.log.line.mebibytes", 256);
    /** A supervisor's own, whatever its container writes. */
    private static final long SUPERVISOR_PEAK_KIB = 4 << 10;
    /** What a neighbour's exec may take on a busy machine of two cores; a starved one takes minutes. */
    private static final Duration EXEC_LIMIT = Duration.ofSeconds(20);

    /**
     * A shell ends when it cannot fork, so a bomb of plain ones may die out where all meet the limit at once. These
     * begin anew then, in the same process; and the first one needs no other process any more once it waits.
     */
    private static final String FORK_BOMB = """
        export BOMB='trap "exec sh -c \\"\\$BOMB\\"" EXIT; while :; do sh -c "$BOMB" & done'
        sleep 1000 & sleeper=$!
        sh -c "$BOMB" 2> /dev/null & wait $sleeper
        """;

    @Container
    static final Node NODE = new Node("limits.pids = " + PIDS_LIMIT);

    @Test
    void aLineOfAGibibyteIsLoggedInPartsWithoutAPartOfItInMemory() throws IOException {
        try (PodHandle pod = NODE.pod("line", "runc"); PodHandle neighbour = NODE.pod("quiet", "runc")) {
            ContainerHandle other = neighbour.start(counting());
            ContainerHandle container = pod.start(shell(
                    "head -c " + LINE_MEBIBYTES + "m /dev/zero | tr '\\0' x; echo; echo next; sleep 1000"));
            Duration slowest = slowestExec(other, () -> !endsWith(container.logFile(), " F next\n"));

            Parts parts = Parts.read(container.logFile());
            assertThat(parts.bytes).isEqualTo((long) LINE_MEBIBYTES * MEBIBYTE);
            assertThat(parts.partial).isEqualTo(LINE_MEBIBYTES * (MEBIBYTE / PART_BYTES) - 1);
            assertThat(parts.rest).extracting(LogLine::text).containsExactly("next");
            assertThat(supervisorPeakKib(container)).isLessThan(SUPERVISOR_PEAK_KIB);
            assertThat(slowest).isLessThan(EXEC_LIMIT);
            assertThatItCounted(other);
        } finally {
            deleteLogs();
        }
    }

    @Test
    void aContainerThatWritesAsFastAsItCanDelaysNoOther() throws IOException {
        try (PodHandle pod = NODE.pod("loud", "runc"); PodHandle neighbour = NODE.pod("calm", "runc")) {
            ContainerHandle other = neighbour.start(counting());
            ContainerHandle container = pod.start(shell("yes " + "x".repeat(99)));
            // As kubelet does with a log that has grown too large.
            long began = System.nanoTime();
            var rotated = new ArrayList<Path>();
            Duration slowest = slowestExec(other, () -> {
                rotate(container, rotated);
                Duration since = Duration.ofNanos(System.nanoTime() - began);
                Duration limit = Duration.ofSeconds(rotated.size() < ROTATIONS ? 60 : 5);
                return since.compareTo(limit) < 0;
            });

            assertThat(rotated).hasSizeGreaterThanOrEqualTo(ROTATIONS);
            assertThat(supervisorPeakKib(container)).isLessThan(SUPERVISOR_PEAK_KIB);
            assertThat(slowest).isLessThan(EXEC_LIMIT);
            long before = System.nanoTime();
            container.stop(0);
            assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(EXEC_LIMIT);
            assertThatItCounted(other);
        } finally {
            deleteLogs();
        }
    }

    @Test
    void aDeletedLogAndADeletedLogDirectoryAreMadeAnewWhenTheLogIsReopened() throws IOException {
        try (PodHandle pod = NODE.pod("deleted", "runc")) {
            ContainerHandle container = pod.start(counting());
            container.awaitLog(3);
            Files.delete(container.logFile());
            reopen(container);
            assertThat(container.awaitLog(3)).isNotEmpty();

            Path directory = Objects.requireNonNull(container.logFile().getParent());
            Files.move(directory, directory.resolveSibling("moved"));
            reopen(container);
            List<LogLine> log = container.awaitLog(3);

            Files.move(directory, directory.resolveSibling("moved-again"));
            Files.createDirectory(directory);
            reopen(container);
            List<LogLine> third = container.awaitLog(3);
            int last = Integer.parseInt(
                    LogLine.read(directory.resolveSibling("moved-again").resolve("counting_0.log")).getLast()
                            .text());
            assertThat(third.getFirst().text()).as("no line is lost between the files")
                    .isEqualTo(Integer.toString(last + 1));
            assertThat(log.getFirst().text()).isNotEqualTo("1");
            assertThat(container.sh("echo alive")).isEqualTo("alive");
        }
    }

    @Test
    void aLogThatCannotBeReopenedIsNamedAndTheOldOneGoesOn() throws IOException {
        try (PodHandle pod = NODE.pod("unopenable", "runc")) {
            ContainerHandle container = pod.start(counting());
            container.awaitLog(3);
            Path kept = container.logFile().resolveSibling("kept");
            Files.move(container.logFile(), kept);
            Files.createDirectory(container.logFile());

            assertThatThrownBy(() -> reopen(container)).hasMessageContaining("open log file: Is a directory");
            int lines = LogLine.read(kept).size();
            Await.until("the old log grows", EXEC_LIMIT, () -> lines(kept), now -> now > lines);
            Files.delete(container.logFile());
            reopen(container);
            assertThat(container.awaitLog(1)).isNotEmpty();
        }
    }

    @Test
    void aForkBombMeetsItsPidsLimitAndEndsWhenStopped() {
        try (PodHandle pod = NODE.pod("bomb", "runc"); PodHandle neighbour = NODE.pod("near", "runc")) {
            ContainerHandle other = neighbour.start(counting());
            ContainerHandle bomb = pod.start(shell(FORK_BOMB));
            Path current = pids(bomb);
            Await.until("the bomb is at its limit", Duration.ofSeconds(30), () -> number(current),
                    pids -> pids > PIDS_LIMIT - 20);
            long end = System.nanoTime() + Duration.ofSeconds(2).toNanos();
            Duration slowest = slowestExec(other, () -> System.nanoTime() < end);

            assertThat(number(current)).as("it never gives up").isBetween(PIDS_LIMIT - 20L,
                    (long) PIDS_LIMIT);
            assertThat(slowest).isLessThan(EXEC_LIMIT);
            bomb.stop(1);
            assertThat(bomb.status().getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
            assertThat(bomb.status().getExitCode()).isEqualTo(137);
            Await.until("no process of the bomb is left", EXEC_LIMIT, () -> Files.exists(current),
                    exists -> !exists);
            assertThatItCounted(other);
        }
    }

    /** Calls exec as long as {@code goesOn}; gives the longest time that one took. */
    private static Duration slowestExec(ContainerHandle container, BooleanSupplier goesOn) {
        long slowest = 0;
        while (goesOn.getAsBoolean()) {
            long before = System.nanoTime();
            assertThat(container.sh("echo here")).isEqualTo("here");
            slowest = Math.max(slowest, System.nanoTime() - before);
        }
        return Duration.ofNanos(slowest);
    }

    /** Every number that it wrote so far is in its log, in order, and more come. */
    private static void assertThatItCounted(ContainerHandle container) {
        List<LogLine> log = container.awaitLog(container.log().size() + 5);
        assertThat(log).extracting(LogLine::text)
                .isEqualTo(Configs.counted(log.size()));
    }

    private static void rotate(ContainerHandle container, List<Path> rotated) {
        try {
            if (Files.size(container.logFile()) > 8 * MEBIBYTE) {
                Path old = container.logFile().resolveSibling("old");
                Files.move(container.logFile(), old, StandardCopyOption.REPLACE_EXISTING);
                reopen(container);
                rotated.add(old);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void reopen(ContainerHandle container) {
        NODE.cri().runtime().reopenContainerLog(
                ReopenContainerLogRequest.newBuilder().setContainerId(container.id()).build());
    }

    private static long supervisorPeakKib(ContainerHandle container) {
        return Footprint.peakKib(ShimProcess.of(container.id()).process().pid());
    }

    /** The file with the number of the container's tasks. */
    private static Path pids(ContainerHandle container) {
        return Await.until("the container's cgroup is found", EXEC_LIMIT,
                () -> Cgroups.all().stream().filter(path -> path.toString().contains(container.id()))
                        .map(path -> path.resolve("pids.current")).filter(Files::exists).findFirst(),
                Optional::isPresent).orElseThrow();
    }

    private static long number(Path file) {
        try {
            return Long.parseLong(Files.readString(file).strip());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int lines(Path log) {
        try {
            return LogLine.read(log).size();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean endsWith(Path file, String text) {
        try (var in = new RandomAccessFile(file.toFile(), "r")) {
            byte[] tail = new byte[(int) Math.min(in.length(), text.length())];
            in.seek(in.length() - tail.length);
            in.readFully(tail);
            return new String(tail, StandardCharsets.ISO_8859_1).equals(text);
        } catch (IOException e) {
            // It grew just now.
            return false;
        }
    }

    private static void deleteLogs() {
        Command.output("rm", "-rf", NODE.logs().toString());
    }

    /** Numbers its lines, fifty a second. */
    private static ContainerConfig.Builder counting() {
        return Configs.counting("counting", NODE.busybox());
    }

    private static ContainerConfig.Builder shell(String script) {
        return Configs.container("main", NODE.busybox(), "sh", "-c", script);
    }

    /** A log with one very long line of x, read without holding it. */
    private static final class Parts {
        private long bytes;
        private int partial;
        private final List<LogLine> rest = new ArrayList<>();

        static Parts read(Path file) throws IOException {
            var parts = new Parts();
            try (InputStream in = new BufferedInputStream(Files.newInputStream(file), MEBIBYTE)) {
                var line = new ByteArrayOutputStream(2 * PART_BYTES);
                for (int b = in.read(); b >= 0; b = in.read()) {
                    if (b == '\n') {
                        parts.add(LogLine.parse(line.toString(StandardCharsets.ISO_8859_1)));
                        line.reset();
                    } else {
                        line.write(b);
                    }
                }
            }
            return parts;
        }

        private void add(LogLine line) {
            if (line.text().startsWith("x")) {
                assertThat(line.text().length()).isLessThanOrEqualTo(PART_BYTES);
                assertThat(line.text().chars().allMatch(c -> c == 'x')).isTrue();
                bytes += line.text().length();
                partial += line.partial() ? 1 : 0;
            } else {
                rest.add(line);
            }
        }
    }
}
