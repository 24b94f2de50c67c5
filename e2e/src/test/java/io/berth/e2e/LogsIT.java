package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ReopenContainerLogRequest;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.groups.Tuple;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class LogsIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    LogsIT(String handler) {
        this.handler = handler;
    }

    /** Longest text of one line of the log; the rest follows in further lines. */
    private static final int PART_BYTES = 16 << 10;

    @Test
    void bothStreamsAreLoggedWithTimesAndNames() {
        try (PodHandle pod = NODE.pod("streams", handler)) {
            ContainerHandle container = pod.start(shell("echo to stdout; echo to stderr >&2"));
            container.awaitExit();

            assertThat(container.log()).extracting(LogLine::stream, LogLine::text, LogLine::partial)
                    .containsExactlyInAnyOrder(Tuple.tuple("stdout", "to stdout", false),
                            Tuple.tuple("stderr", "to stderr", false));
            assertThat(container.log()).allSatisfy(line -> assertThat(line.time())
                    .isBetween(Instant.now().minusSeconds(60), Instant.now()));
        }
    }

    @Test
    void aLongLineIsSplitAndMarkedAsPartial() {
        int length = 100_000;
        try (PodHandle pod = NODE.pod("long", handler)) {
            ContainerHandle container = pod
                    .start(shell("head -c " + length + " /dev/zero | tr '\\0' x; echo; echo next"));
            container.awaitExit();
            List<LogLine> log = container.log();

            assertThat(log).filteredOn(LogLine::partial).isNotEmpty()
                    .allSatisfy(line -> assertThat(line.text()).hasSizeLessThanOrEqualTo(PART_BYTES));
            assertThat(container.output()).isEqualTo("x".repeat(length) + "\nnext");
            assertThat(log.getLast().text()).isEqualTo("next");
        }
    }

    @Test
    void aLastLineWithoutItsEndIsLogged() {
        try (PodHandle pod = NODE.pod("unended", handler)) {
            ContainerHandle container = pod.start(shell("printf unended"));

            assertThat(container.output()).isEqualTo("unended");
        }
    }

    @Test
    void manyLinesAllArriveInOrder() {
        int lines = 200_000;
        try (PodHandle pod = NODE.pod("many", handler)) {
            ContainerHandle container = pod.start(shell("seq " + lines));
            container.awaitExit();
            List<LogLine> log = container.awaitLog(lines);

            assertThat(log.size()).isEqualTo(lines);
            for (int i = 0; i < lines; i++) {
                if (!log.get(i).text().equals(Integer.toString(i + 1))) {
                    throw new AssertionError("line " + i + " is " + log.get(i));
                }
            }
        }
    }

    @Test
    void bytesThatAreNoTextAreLoggedAsTheyAre() throws IOException {
        try (PodHandle pod = NODE.pod("bytes", handler)) {
            ContainerHandle container = pod.start(shell("printf '\\377\\001\\000z\\n'"));
            container.awaitExit();

            assertThat(container.log().getFirst().text()).isEqualTo("\u00ff\u0001\u0000z");
        }
    }

    @Test
    void aRotatedLogGoesOnInANewFileWithoutLoss() throws IOException {
        int lines = 2000;
        try (PodHandle pod = NODE.pod("rotated", handler)) {
            ContainerHandle container = pod
                    .start(shell("for i in $(seq " + lines + "); do echo $i; usleep 200; done"));
            Path rotated = container.logFile().resolveSibling("rotated.log");
            container.awaitLog(50);
            Files.move(container.logFile(), rotated);
            NODE.cri().runtime().reopenContainerLog(
                    ReopenContainerLogRequest.newBuilder().setContainerId(container.id()).build());
            container.awaitExit();

            var all = new ArrayList<>(LogLine.read(rotated));
            assertThat(container.log()).isNotEmpty();
            all.addAll(container.log());
            assertThat(all).extracting(LogLine::text)
                    .isEqualTo(Configs.counted(lines));
        }
    }

    @Test
    void theLogOfATerminalIsOneStream() {
        try (PodHandle pod = NODE.pod("ttylog", handler)) {
            ContainerHandle container = pod.start(shell("echo one; echo two >&2").setTty(true));
            container.awaitExit();

            assertThat(container.log()).extracting(LogLine::stream).containsOnly("stdout");
            assertThat(container.log()).extracting(line -> line.text().strip()).containsExactly("one", "two");
        }
    }

    @Test
    void theStatusNamesTheLogFile() {
        try (PodHandle pod = NODE.pod("path", handler)) {
            ContainerHandle container = pod.start(shell("true"));

            assertThat(container.status().getLogPath()).isEqualTo(container.logFile().toString());
        }
    }

    private static ContainerConfig.Builder shell(String script) {
        return Configs.container("main", NODE.busybox(), "sh", "-c", script);
    }
}
