package io.berth.runtime.shim;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.linux.PidFd;
import io.berth.shim.wire.Wire;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The connection on which a daemon waits for a container's end, and what it means that it ends. */
@Timeout(60)
class ShimWatchTest {
    private static final int CODE = 5;

    @TempDir
    Path directory;

    private ServerSocketChannel server;
    private Process shim;
    private Process container;

    @BeforeEach
    void start() throws IOException {
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(directory.resolve("shim.sock")));
        shim = new ProcessBuilder("sleep", "1000").start();
        container = new ProcessBuilder("sleep", "1000").start();
    }

    @AfterEach
    void end() throws IOException {
        server.close();
        shim.destroyForcibly();
        container.destroyForcibly();
    }

    @Test
    void aContainerRunsOnWhereOnlyTheConnectionHasEnded() throws Exception {
        Thread.ofVirtual().start(() -> serve(1));
        try (NativeShim watched = watched()) {
            ExitRecord record = watched.exit().get(30, TimeUnit.SECONDS);

            assertThat(record.known()).isTrue();
            assertThat(record.code()).isEqualTo(CODE);
            assertThat(container.isAlive()).isTrue();
            assertThat(shim.isAlive()).isTrue();
        }
    }

    @Test
    void aContainerWhoseShimHasEndedIsEnded() throws Exception {
        Thread.ofVirtual().start(() -> serve(Integer.MAX_VALUE));
        try (NativeShim watched = watched()) {
            shim.destroyForcibly();

            assertThat(watched.exit().get(30, TimeUnit.SECONDS).known()).isFalse();
            assertThat(container.waitFor(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    private NativeShim watched() throws IOException {
        return new NativeShim(directory, PidFd.open(shim.pid()), container.pid(),
                PidFd.open(container.pid()));
    }

    /** Hangs up on the first {@code refused} connections; tells the next one of the container's end. */
    private void serve(int refused) {
        try {
            for (int i = 0; i < refused; i++) {
                server.accept().close();
            }
            try (SocketChannel client = server.accept()) {
                read(client, Wire.HEADER_BYTES + 2);
                client.write(ByteBuffer.allocate(Wire.HEADER_BYTES + 11).putInt(12).put((byte) Wire.WELCOME)
                        .putShort((short) Wire.VERSION).put((byte) Wire.STATE_RUNNING)
                        .putInt((int) shim.pid()).putInt((int) container.pid()).flip());
                read(client, Wire.HEADER_BYTES);
                client.write(ByteBuffer.allocate(Wire.HEADER_BYTES).putInt(1).put((byte) Wire.OK).flip());
                client.write(ByteBuffer.allocate(Wire.HEADER_BYTES + 17).putInt(18).put((byte) Wire.EXIT)
                        .putInt(CODE).putInt(0).put((byte) 0).putLong(1).flip());
                client.read(ByteBuffer.allocate(1));
            }
        } catch (ClosedChannelException e) {
            // The test is over.
            return;
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void read(SocketChannel client, int bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(bytes);
        while (buffer.hasRemaining() && client.read(buffer) >= 0) {
            // Goes on until all is there.
        }
    }
}
