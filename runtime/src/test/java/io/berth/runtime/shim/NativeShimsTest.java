package io.berth.runtime.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.linux.Errno;
import io.berth.linux.LinuxException;
import io.berth.linux.PidFd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** With the real berth-shim and a real runc; needs root. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
final class NativeShimsTest {
    private static final Duration LONG = Duration.ofSeconds(20);
    private static final Duration SHORT = Duration.ofMillis(300);

    private final NativeShims shims = new NativeShims(Path.of(System.getProperty("berth.shim")));

    @TempDir
    private Path temporary;

    @Test
    void aContainerRunsIsLoggedAndLeavesItsExitCode() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "/bin/sh", "-c",
                "echo out; echo err >&2; exit 7");
                Shim shim = shims.create(bundle.spec(), LONG)) {
            assertThat(shims.readExit(bundle.directory)).isEmpty();
            shim.start(LONG);
            ExitRecord exit = shim.exit().get(20, TimeUnit.SECONDS);
            assertThat(exit.code()).isEqualTo(7);
            assertThat(exit.known()).isTrue();
            assertThat(exit.oomKilled()).isFalse();
            assertThat(shims.readExit(bundle.directory)).contains(exit);
            assertThat(bundle.logged()).containsExactlyInAnyOrder("stdout F out", "stderr F err");
            shim.shutdown(LONG);
            assertThat(shims.attach(bundle.directory, LONG)).isEmpty();
        }
    }

    @Test
    void aFailedCreateTellsTheRuntimesOwnWordsAndLeavesNoProcess() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "no-such-command")) {
            assertThatThrownBy(() -> shims.create(bundle.spec(), LONG))
                    .isInstanceOfSatisfying(ShimException.class,
                            e -> assertThat(e.kind()).isEqualTo(ShimException.Kind.OCI))
                    .hasMessageContaining("executable file not found");
            assertThat(shims.attach(bundle.directory, LONG)).isEmpty();
            long shim = Long.parseLong(Files.readString(bundle.directory.resolve("shim.pid")).strip());
            awaitEnd(shim);
        }
    }

    @Test
    void aRuntimeThatIsMissingIsNamed() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "true")) {
            ShimSpec spec = bundle.spec();
            ShimSpec wrong = new ShimSpec(spec.directory(), spec.containerId(), spec.bundle(),
                    List.of("/no/such/runtime"),
                    List.of(), spec.logPath(), false, false, false, false);
            assertThatThrownBy(() -> shims.create(wrong, LONG)).hasMessageContaining("/no/such/runtime");
        }
    }

    @Test
    void execDeliversFiftyMegabytesAndTheExitCode() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "sleep", "1000");
                Shim shim = started(bundle);
                ExecSession exec = shim.exec(
                        BusyboxBundle.process(false, "sh", "-c",
                                "dd if=/dev/zero bs=64k count=800 2>/dev/null; echo bye >&2; exit 9"),
                        false, false, LONG)) {
            Counter counter = new Counter();
            assertThat(exec.run(counter)).isEqualTo(9);
            assertThat(counter.stdout).isEqualTo(50L * 1024 * 1024);
            assertThat(counter.stderr).isEqualTo(4);
            assertThat(exec.exitCode()).isCompletedWithValue(9);
        }
    }

    @Test
    void execsOfManyCallersRunAtOnce() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "sleep", "1000");
                Shim shim = started(bundle);
                ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<CompletableFuture<Integer>> codes = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                int code = i;
                codes.add(CompletableFuture.supplyAsync(() -> execCode(shim, code), callers));
            }
            for (int i = 0; i < codes.size(); i++) {
                assertThat(codes.get(i).get()).isEqualTo(i);
            }
        }
    }

    /** By pidfd: for ProcessHandle a process lives until init has reaped it, however late that is. */
    private static void awaitEnd(long pid) throws Exception {
        try (PidFd process = PidFd.open(pid)) {
            assertThat(process.awaitExit(Duration.ofSeconds(10))).isTrue();
        } catch (LinuxException e) {
            assertThat(e.errno()).isEqualTo(Errno.ESRCH);
        }
    }

    private static int execCode(Shim shim, int code) {
        try (ExecSession exec = shim.exec(BusyboxBundle.process(false, "sh", "-c", "exit " + code), false,
                false, LONG)) {
            return exec.run(new Counter());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void execOfAMissingCommandTellsTheRuntimesOwnWords() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "sleep", "1000");
                Shim shim = started(bundle)) {
            byte[] process = BusyboxBundle.process(false, "no-such-command");
            assertThatThrownBy(() -> shim.exec(process, false, false, LONG)).isInstanceOf(ShimException.class)
                    .hasMessageContaining("executable file not found");
        }
    }

    @Test
    void execEchoesItsStdinUntilItIsClosed() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "sleep", "1000");
                Shim shim = started(bundle);
                ExecSession exec = shim.exec(BusyboxBundle.process(false, "cat"), false, true, LONG)) {
            byte[] data = new byte[3_000_000];
            for (int i = 0; i < data.length; i++) {
                data[i] = (byte) (i * 31);
            }
            Thread writer = Thread.ofVirtual().start(() -> writeAndClose(exec, data));
            Collector collector = new Collector();
            assertThat(exec.run(collector)).isZero();
            writer.join();
            assertThat(collector.bytes.toByteArray()).isEqualTo(data);
        }
    }

    private static void writeAndClose(ExecSession session, byte[] data) {
        try {
            session.writeStdin(ByteBuffer.wrap(data));
            session.closeStdin();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void aClosedExecSessionEndsItsProcess() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "sleep", "1000");
                Shim shim = started(bundle)) {
            ExecSession exec = shim.exec(BusyboxBundle.process(false, "sleep", "1000"), false, false, LONG);
            long pid = exec.pid();
            assertThat(ProcessHandle.of(pid)).isPresent();
            exec.close();
            awaitEnd(pid);
        }
    }

    @Test
    void anExecCanBeSignalled() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "sleep", "1000");
                Shim shim = started(bundle);
                ExecSession exec = shim.exec(BusyboxBundle.process(false, "sleep", "1000"), false, false,
                        LONG)) {
            exec.kill(9);
            assertThat(exec.run(new Counter())).isEqualTo(137);
        }
    }

    @Test
    void aTerminalHasTheSizeItWasGivenAndItsOutputGoesToEverybodyAttached() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "sh", "-c", "read go; stty size; exit 4")
                .terminal().stdin(false);
                Shim shim = shims.create(bundle.spec(), LONG);
                ExecSession first = shim.attach(LONG);
                ExecSession second = shim.attach(LONG);
                ExecSession third = shim.attach(LONG)) {
            shim.resize(77, 33, LONG);
            shim.start(LONG);
            second.writeStdin(ByteBuffer.wrap("go\n".getBytes(StandardCharsets.UTF_8)));
            for (ExecSession session : List.of(first, second, third)) {
                Collector collector = new Collector();
                assertThat(session.run(collector)).isEqualTo(4);
                assertThat(collector.text()).contains("33 77");
            }
            assertThat(bundle.logged()).contains("stdout F 33 77\r");
        }
    }

    @Test
    void stdinOnceEndsWithTheFirstAttachment() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "cat").stdin(true);
                Shim shim = shims.create(bundle.spec(), LONG)) {
            shim.start(LONG);
            ExecSession session = shim.attach(LONG);
            session.writeStdin(ByteBuffer.wrap("last words\n".getBytes(StandardCharsets.UTF_8)));
            session.close();
            assertThat(shim.exit().get(20, TimeUnit.SECONDS).code()).isZero();
            assertThat(bundle.logged()).containsExactly("stdout F last words");
        }
    }

    @Test
    void anotherDaemonFindsTheShimAgain() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "sleep", "1000")) {
            Shim before = started(bundle);
            before.close();
            try (Shim after = shims.attach(bundle.directory, LONG).orElseThrow()) {
                assertThat(after.containerPid()).isEqualTo(before.containerPid());
                after.kill(9);
                ExitRecord exit = after.exit().get(20, TimeUnit.SECONDS);
                assertThat(exit.code()).isEqualTo(137);
                assertThat(exit.signal()).isEqualTo(9);
                after.kill(9);
                after.shutdown(LONG);
            }
        }
    }

    @Test
    void aLogThatWasMovedAwayIsOpenedAgain() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "sh", "-c", "echo one; read go; echo two")
                .stdin(false);
                Shim shim = shims.create(bundle.spec(), LONG);
                ExecSession session = shim.attach(LONG)) {
            shim.start(LONG);
            Path moved = bundle.log.resolveSibling("log.1");
            while (!bundle.logged().contains("stdout F one")) {
                Thread.onSpinWait();
            }
            Files.move(bundle.log, moved);
            shim.reopenLog(LONG);
            session.writeStdin(ByteBuffer.wrap("go\n".getBytes(StandardCharsets.UTF_8)));
            shim.exit().get(20, TimeUnit.SECONDS);
            assertThat(bundle.logged()).containsExactly("stdout F two");
        }
    }

    @Test
    void aFrozenShimCostsItsCallerTheDeadline() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "sleep", "1000");
                Shim shim = started(bundle)) {
            signal("STOP", shim.shimPid());
            long before = System.nanoTime();
            assertThatThrownBy(() -> shim.reopenLog(SHORT)).isInstanceOfSatisfying(ShimException.class,
                    e -> assertThat(e.kind()).isEqualTo(ShimException.Kind.TIMEOUT));
            assertThat(Duration.ofNanos(System.nanoTime() - before)).isBetween(SHORT, LONG);
            try (Shim found = shims.attach(bundle.directory, SHORT).orElseThrow()) {
                assertThat(found.shimPid()).isEqualTo(shim.shimPid());
                found.kill(15);
                found.kill(9);
                signal("CONT", shim.shimPid());
                assertThat(found.exit().get(20, TimeUnit.SECONDS).code()).isEqualTo(137);
            }
            assertThat(shim.exit().get(20, TimeUnit.SECONDS).code()).isEqualTo(137);
            shim.shutdown(LONG);
        }
    }

    @Test
    void theEndOfAContainerWhoseShimWasKilledIsUnknown() throws Exception {
        try (BusyboxBundle bundle = new BusyboxBundle(temporary, "sleep", "1000");
                Shim shim = started(bundle)) {
            signal("KILL", shim.shimPid());
            ExitRecord exit = shim.exit().get(20, TimeUnit.SECONDS);
            assertThat(exit.known()).isFalse();
            assertThat(shims.attach(bundle.directory, LONG)).isEmpty();
        }
    }

    @Test
    void aDirectoryWithALongNameWorks() throws Exception {
        Path deep = Files.createDirectories(temporary.resolve("d".repeat(100)).resolve("e".repeat(100)));
        try (BusyboxBundle bundle = new BusyboxBundle(deep, "sh", "-c", "exit 3").terminal();
                Shim shim = started(bundle)) {
            assertThat(shim.exit().get(20, TimeUnit.SECONDS).code()).isEqualTo(3);
            shim.shutdown(LONG);
        }
    }

    @Test
    void aPauseProcessIsPidOneOfItsNamespaceAndEndsOnSigterm() throws Exception {
        Path directory = Files.createDirectory(temporary.resolve("pause"));
        long pid = shims
                .startPause(new PauseSpec(directory, List.of(Path.of("/proc/self/ns/uts")), List.of()), LONG);
        assertThat(Files.readString(Path.of("/proc/" + pid + "/status")))
                .containsPattern("NSpid:\t" + pid + "\t1\n");
        assertThat(Files.readSymbolicLink(Path.of("/proc/" + pid + "/ns/pid")))
                .isNotEqualTo(Files.readSymbolicLink(Path.of("/proc/self/ns/pid")));
        signal("TERM", pid);
        awaitEnd(pid);
    }

    @Test
    void aPauseProcessThatCannotJoinANamespaceSaysSo() throws Exception {
        PauseSpec spec = new PauseSpec(temporary, List.of(Path.of("/no/such/namespace")), List.of());
        assertThatThrownBy(() -> shims.startPause(spec, LONG))
                .hasMessageContaining("join a namespace: No such file");
    }

    private Shim started(BusyboxBundle bundle) throws ShimException {
        Shim shim = shims.create(bundle.spec(), LONG);
        shim.start(LONG);
        return shim;
    }

    private static void signal(String name, long pid) throws IOException, InterruptedException {
        assertThat(new ProcessBuilder("kill", "-" + name, Long.toString(pid)).start().waitFor()).isZero();
    }

    private static final class Counter implements ExecSession.Output {
        private long stdout;
        private long stderr;

        @Override
        public void stdout(ByteBuffer data) {
            stdout += data.remaining();
        }

        @Override
        public void stderr(ByteBuffer data) {
            stderr += data.remaining();
        }
    }

    private static final class Collector implements ExecSession.Output {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        @Override
        public void stdout(ByteBuffer data) {
            byte[] copy = new byte[data.remaining()];
            data.get(copy);
            bytes.writeBytes(copy);
        }

        @Override
        public void stderr(ByteBuffer data) {
            stdout(data);
        }

        String text() {
            return bytes.toString(StandardCharsets.UTF_8);
        }
    }
}
