package io.berth.shim.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.shim.Main;
import io.berth.shim.process.ShimProcess.Client;
import io.berth.shim.process.ShimProcess.Frame;
import io.berth.shim.wire.Wire;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
final class ContainerProcessTest {
    @TempDir
    private Path temporary;

    @Test
    void theVersionIsPrintedAndWrongUseIsRefused() throws Exception {
        assertThat(ShimProcess.berthShim("--version"))
                .isEqualTo(new ShimProcess.Result(0, Main.VERSION + "\n"));
        assertThat(ShimProcess.berthShim()).satisfies(result -> {
            assertThat(result.code()).isEqualTo(2);
            assertThat(result.output()).startsWith("usage: berth-shim");
        });
        assertThat(ShimProcess.berthShim("container", "--dir", "/").output())
                .contains("OCI runtime is missing");
        assertThat(ShimProcess
                .berthShim("container", "--dir", "/no/such", "--id", "a", "--bundle", "/b", "--", "runc")
                .output())
                .contains("enter the directory: No such file");
        assertThat(ShimProcess.berthShim("x".repeat(40_000)).output()).contains("longer than 32 KiB");
    }

    @Test
    void outputIsLoggedAndTheExitFileIsWritten() throws Exception {
        try (ShimProcess shim = new ShimProcess(temporary, "echo one; echo two >&2; printf end; exit 42")) {
            assertThat(shim.runToEnd()).isEqualTo(42);
            assertThat(shim.logged()).containsExactlyInAnyOrder("stdout F one", "stderr F two",
                    "stdout P end");
            assertThat(Files.readString(shim.directory.resolve("exit")))
                    .matches("code=42 signal=0 oom=0 time=\\d{19}\n");
        }
    }

    @Test
    void thousandsOfLinesArriveWholeAndInOrder() throws Exception {
        try (ShimProcess shim = new ShimProcess(temporary, "seq 1 200000")) {
            assertThat(shim.runToEnd()).isZero();
            List<String> logged = shim.logged();
            assertThat(logged).hasSize(200_000);
            for (int i = 0; i < logged.size(); i++) {
                assertThat(logged.get(i)).isEqualTo("stdout F " + (i + 1));
            }
        }
    }

    @Test
    void theSignalThatEndedTheContainerIsKnown() throws Exception {
        try (ShimProcess shim = new ShimProcess(temporary, "kill -15 $$")) {
            assertThat(shim.runToEnd()).isEqualTo(143);
            assertThat(Files.readString(shim.directory.resolve("exit"))).startsWith("code=143 signal=15 ");
        }
    }

    @Test
    void aGrandchildThatKeepsTheOutputOpenDoesNotDelayTheEnd() throws Exception {
        try (ShimProcess shim = new ShimProcess(temporary, "sleep 30 & echo $!; exit 3")) {
            assertThat(shim.runToEnd()).isEqualTo(3);
            String line = shim.logged().getFirst();
            ProcessHandle.of(Long.parseLong(line.substring("stdout F ".length()))).orElseThrow().destroy();
        }
    }

    @Test
    void aFullDiskCostsLinesWhichAreCountedAndNotTheContainer() throws Exception {
        try (ShimProcess shim = new ShimProcess(temporary, Path.of("/dev/full"), "seq 1 1000; exit 5")) {
            assertThat(shim.runToEnd()).isEqualTo(5);
            try (Client client = shim.connect()) {
                assertThat(client.call(Wire.LOG_STATUS).body().getLong(0)).isEqualTo(1000);
            }
        }
    }

    @Test
    void theNewestVersionThatBothKnowIsSpoken() throws Exception {
        try (ShimProcess shim = new ShimProcess(temporary, "exit 6");
                Client newer = new Client(shim.directory.resolve("shim.sock"));
                Client none = new Client(shim.directory.resolve("shim.sock"))) {
            Frame welcome = newer.call(Wire.HELLO, (byte) 1, (byte) 0);
            assertThat(welcome.type()).isEqualTo(Wire.WELCOME);
            assertThat(welcome.body().getShort(0)).isEqualTo((short) Wire.VERSION);
            assertThat(newer.call(Wire.AWAIT_CREATED).type()).isEqualTo(Wire.OK);

            assertThat(none.call(Wire.HELLO, (byte) 0, (byte) 0).type()).isEqualTo(Wire.ERROR);
            assertThat(shim.runToEnd()).isEqualTo(6);
        }
    }

    @Test
    void garbageOnTheSocketDisturbsNobody() throws Exception {
        Random random = new Random(11);
        try (ShimProcess shim = new ShimProcess(temporary, "exit 6"); Client control = shim.created()) {
            for (int i = 0; i < 400; i++) {
                try (Client client = i % 2 == 0
                        ? shim.connect()
                        : new Client(shim.directory.resolve("shim.sock"))) {
                    client.raw(garbage(random, i));
                } catch (IOException hungUp) {
                    assertThat(hungUp).hasMessageMatching("(?s).*(pipe|reset|hung up).*");
                }
            }
            assertThat(control.call(Wire.HELLO, (byte) 0, (byte) 1).type()).isEqualTo(Wire.WELCOME);
            assertThat(shim.runToEnd()).isEqualTo(6);
        }
    }

    /** Of every fourth only bytes, of the others frames with a plausible head; never START or SHUTDOWN. */
    private static byte[] garbage(Random random, int round) {
        byte[] bytes = new byte[random.nextInt(3000)];
        random.nextBytes(bytes);
        if (round % 4 != 0 && bytes.length >= Wire.HEADER_BYTES) {
            int[] types = {Wire.EXEC, Wire.ATTACH, Wire.RESIZE, Wire.KILL_EXEC, Wire.STDIN, Wire.CLOSE_STDIN,
                    Wire.WATCH, 99};
            Wire.putInt(bytes, 0, 1 + random.nextInt(bytes.length));
            bytes[4] = (byte) types[random.nextInt(types.length)];
        }
        return bytes;
    }

    @Test
    void aFrameThatIsTooLongIsRefusedWithAWord() throws Exception {
        try (ShimProcess shim = new ShimProcess(temporary, "true"); Client client = shim.created()) {
            client.raw(ByteBuffer.allocate(5).putInt(Wire.MAX_BODY_BYTES + 2).put((byte) Wire.STDIN).array());
            assertThat(client.receive()).satisfies(frame -> {
                assertThat(frame.type()).isEqualTo(Wire.ERROR);
                assertThat(frame.body().get(0)).isEqualTo((byte) Wire.ERROR_PROTOCOL);
            });
            assertThatThrownBy(client::receive).isInstanceOf(EOFException.class);
        }
    }

    @Test
    void anAttachedClientThatDoesNotReadIsDroppedAndTheLogGoesOn() throws Exception {
        int lines = 1_000_000;
        try (ShimProcess shim = new ShimProcess(temporary, "seq 1 " + lines); Client lazy = shim.created()) {
            assertThat(lazy.call(Wire.ATTACH).type()).isEqualTo(Wire.STARTED);
            assertThat(shim.runToEnd()).isZero();
            try (var logged = Files.lines(shim.log)) {
                assertThat(logged.count()).isEqualTo(lines);
            }
            assertThatThrownBy(() -> {
                while (lazy.receive().type() != Wire.EXIT) {
                    // What had been sent before.
                }
            }).isInstanceOf(IOException.class);
        }
    }

    @Test
    void aSlowExecClientSlowsItsProcessAndLosesNothing() throws Exception {
        try (ShimProcess shim = new ShimProcess(temporary, "sleep 1000"); Client control = shim.created()) {
            control.call(Wire.START);
            try (Client exec = shim.exec("big", "head -c 20000000 /dev/zero; exit 8", 0);
                    Client other = shim.exec("small", "exit 9", 0)) {
                assertThat(exec.receive().type()).isEqualTo(Wire.STARTED);
                assertThat(codeOf(other)).isEqualTo(9);
                long bytes = 0;
                Frame frame = exec.receive();
                while (frame.type() == Wire.STDOUT) {
                    bytes += frame.body().remaining();
                    frame = exec.receive();
                }
                assertThat(bytes).isEqualTo(20_000_000);
                assertThat(frame.body().getInt(0)).isEqualTo(8);
            }
        }
    }

    private static int codeOf(Client exec) throws IOException {
        Frame frame = exec.receive();
        while (frame.type() != Wire.EXIT) {
            frame = exec.receive();
        }
        return frame.body().getInt(0);
    }

    @Test
    void theSixtyFifthExecIsRefusedUntilOneHasEnded() throws Exception {
        try (ShimProcess shim = new ShimProcess(temporary, "sleep 1000"); Client control = shim.created()) {
            control.call(Wire.START);
            List<Client> execs = new ArrayList<>();
            for (int i = 0; i < 64; i++) {
                Client exec = shim.exec("e" + i, "cat", Wire.FLAG_STDIN);
                assertThat(exec.receive().type()).isEqualTo(Wire.STARTED);
                execs.add(exec);
            }
            try (Client refused = shim.exec("refused", "exit 1", 0)) {
                Frame reply = refused.receive();
                assertThat(reply.type()).isEqualTo(Wire.ERROR);
                assertThat(reply.body().get(0)).isEqualTo((byte) Wire.ERROR_BUSY);
            }
            execs.getFirst().send(Wire.CLOSE_STDIN);
            assertThat(codeOf(execs.getFirst())).isZero();
            try (Client accepted = shim.exec("accepted", "exit 1", 0)) {
                assertThat(codeOf(accepted)).isEqualTo(1);
            }
            for (Client exec : execs) {
                exec.close();
            }
        }
    }

    @Test
    void anEndedContainersSupervisorGoesWithItsDirectory() throws Exception {
        try (ShimProcess shim = new ShimProcess(temporary, "exit 0")) {
            assertThat(shim.runToEnd()).isZero();
            ProcessHandle supervisor = shim.handle();
            for (String name : List.of("exit", "shim.sock", "shim.pid", "container.pid")) {
                Files.delete(shim.directory.resolve(name));
            }
            Files.delete(shim.directory);
            supervisor.onExit().get(30, TimeUnit.SECONDS);
        }
    }

    @Test
    void shutdownIsRefusedWhileTheContainerLives() throws Exception {
        try (ShimProcess shim = new ShimProcess(temporary, "exit 0"); Client client = shim.created()) {
            assertThat(client.call(Wire.SHUTDOWN).body().get(0)).isEqualTo((byte) Wire.ERROR_STATE);
            assertThat(shim.runToEnd()).isZero();
            ProcessHandle supervisor = shim.handle();
            assertThat(client.call(Wire.SHUTDOWN).type()).isEqualTo(Wire.OK);
            supervisor.onExit().get(30, TimeUnit.SECONDS);
        }
    }
}
