package io.berth.linux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChildProcessTest {
    private static final Duration LONG = Duration.ofSeconds(20);
    private static final int LIMIT = 1 << 20;

    @Test
    void givesInputAndEnvironmentAndTakesOutputAndExitCode() throws IOException {
        ChildProcess.Outcome outcome = shell("cat; printf %s \"$NAME\"; env | wc -l >&2; exit 7",
                Map.of("NAME", "é"))
                .run("in ".getBytes(UTF_8), LIMIT, LONG);

        assertThat(outcome.exitCode()).isEqualTo(7);
        assertThat(outcome.timedOut()).isFalse();
        assertThat(outcome.output()).isEqualTo("in é");
        // NAME, and what the shell sets by itself: PWD, _ and the like, but nothing of ours.
        assertThat(Integer.parseInt(outcome.errorTail().strip())).isLessThan(6);
    }

    @Test
    void takesMoreInputAndOutputThanAPipeHolds() throws IOException {
        byte[] input = new byte[900_000];

        ChildProcess.Outcome outcome = new ChildProcess(List.of("/bin/cat"), Map.of()).run(input, LIMIT,
                LONG);

        assertThat(outcome.output()).hasSize(input.length);
        assertThat(outcome.outputTruncated()).isFalse();
    }

    @Test
    void keepsTheStartOfOutputAndTheTailOfErrors() throws IOException {
        ChildProcess.Outcome outcome = shell("yes | head -c 3000000; yes | head -c 300000 >&2; echo last >&2",
                Map.of())
                .run(new byte[0], 1000, LONG);

        assertThat(outcome.output()).hasSize(1000);
        assertThat(outcome.outputTruncated()).isTrue();
        assertThat(outcome.errorTail()).hasSize(4096).endsWith("last\n");
    }

    @Test
    void killsTheWholeGroupAtTheDeadline(@TempDir Path directory) throws Exception {
        Path pids = directory.resolve("pids");
        Files.writeString(pids, "");

        ChildProcess.Outcome outcome = shell(
                "sleep 1000 & echo $! >> " + pids + "; echo $$ >> " + pids + "; wait",
                Map.of()).run(new byte[0], LIMIT, Duration.ofSeconds(2));

        assertThat(outcome.timedOut()).isTrue();
        assertThat(outcome.exitCode()).isEqualTo(128 + 9);
        assertThat(Files.readAllLines(pids)).hasSize(2)
                .allSatisfy(pid -> assertThat(ended(Long.parseLong(pid))).isTrue());
    }

    @Test
    void doesNotWaitForWhatIsLeftBehindOnPurpose(@TempDir Path directory) throws Exception {
        Path pid = directory.resolve("pid");

        ChildProcess.Outcome outcome = shell("sleep 1000 & echo $! > " + pid + "; echo done", Map.of())
                .run(new byte[0], LIMIT, LONG);

        assertThat(outcome.timedOut()).isFalse();
        assertThat(outcome.output()).isEqualTo("done\n");
        try (PidFd left = PidFd.open(Long.parseLong(Files.readString(pid).strip()))) {
            assertThat(left.exited()).isFalse();
            left.signal(9);
        }
    }

    @Test
    void aChildHasOnlyItsThreeDescriptorsAndDefaultSignals() throws IOException {
        // Not through a shell, which blocks signals and opens descriptors of its own.
        String fds = new ChildProcess(List.of("/bin/ls", "-m", "/proc/self/fd"), Map.of())
                .run(new byte[0], LIMIT, LONG).output();
        String status = new ChildProcess(List.of("/bin/cat", "/proc/self/status"), Map.of())
                .run(new byte[0], LIMIT, LONG).output();

        assertThat(fds).isEqualTo("0, 1, 2, 3\n"); // 3 is the folder that ls reads
        assertThat(status).contains("SigBlk:\t0000000000000000").contains("SigIgn:\t0000000000000000");
    }

    @Test
    void saysWhatCannotBeExecuted(@TempDir Path directory) throws IOException {
        Path plain = Files.writeString(directory.resolve("plain"), "text");

        assertThatThrownBy(() -> new ChildProcess(List.of("/nosuch"), Map.of()).run(new byte[0], LIMIT, LONG))
                .hasMessage("exec /nosuch: ENOENT");
        assertThatThrownBy(
                () -> new ChildProcess(List.of(plain.toString()), Map.of()).run(new byte[0], LIMIT, LONG))
                .hasMessage("exec " + plain + ": EACCES");
    }

    private static ChildProcess shell(String script, Map<String, String> environment) {
        return new ChildProcess(List.of("/bin/sh", "-c", script), environment);
    }

    private static boolean ended(long pid) throws Exception {
        try (PidFd pidFd = PidFd.open(pid)) {
            return pidFd.awaitExit(Duration.ofSeconds(5));
        } catch (LinuxException e) {
            return e.errno() == Errno.ESRCH;
        }
    }
}
