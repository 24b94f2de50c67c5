package io.berth.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ProcessTableTest {
    private Process process;

    @BeforeEach
    void start() throws Exception {
        var builder = new ProcessBuilder("sh", "-c", "(sleep 4711 & sleep 4712) & wait",
                "process-table-test");
        builder.environment().put("BERTH_TABLE_TEST", "yes");
        process = builder.start();
        while (process.descendants().filter(ProcessTableTest::sleeps).count() < 2) {
            Thread.sleep(Duration.ofMillis(5));
        }
    }

    @AfterEach
    void end() throws Exception {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly().waitFor();
    }

    /** Repeated, as it matters in which order they are found. */
    @RepeatedTest(10)
    void killsAProcessWithItsDescendants() throws Exception {
        List<PidFd> tree = new ArrayList<>();
        for (ProcessHandle descendant : process.descendants().toList()) {
            tree.add(PidFd.open(descendant.pid()));
        }
        try (PidFd root = PidFd.open(process.pid())) {
            ProcessTable.killTree(root);
        }

        // Not by ProcessHandle.onExit: the zombie of an orphan counts as alive there, however late init reaps it.
        assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
        for (PidFd descendant : tree) {
            assertThat(descendant.exited()).isTrue();
            descendant.close();
        }
    }

    @Test
    void findsProcessesByArgumentsAndEnvironment() throws Exception {
        assertThat(ProcessTable.withArguments(arguments -> arguments.contains("process-table-test")))
                .contains(process.pid());
        assertThat(ProcessTable.withEnvironment(variables -> variables.contains("BERTH_TABLE_TEST=yes")))
                .contains(process.pid()).hasSizeGreaterThanOrEqualTo(3)
                .doesNotContain(ProcessHandle.current().pid());
    }

    @Test
    void killingOneThatHasEndedDoesNothing() throws Exception {
        try (PidFd root = PidFd.open(process.pid())) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
            ProcessTable.killTree(root);
        }
    }

    private static boolean sleeps(ProcessHandle process) {
        return process.info().command().orElse("").endsWith("sleep");
    }
}
