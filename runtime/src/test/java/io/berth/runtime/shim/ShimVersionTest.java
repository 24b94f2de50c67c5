package io.berth.runtime.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.shim.wire.Wire;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A shim of another version of Berth. */
@Timeout(60)
class ShimVersionTest {
    @TempDir
    Path directory;

    private ServerSocketChannel server;
    private volatile int version;

    @BeforeEach
    void listen() throws IOException {
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(directory.resolve("shim.sock")));
        Thread.ofVirtual().start(this::serve);
    }

    @AfterEach
    void close() throws IOException {
        server.close();
    }

    @Test
    void isRefusedInWordsWhereTheDaemonDoesNotSpeakIt() throws IOException {
        for (int other : new int[]{0, Wire.VERSION + 1}) {
            version = other;
            try (ShimConnection connection = ShimConnection.open(directory)) {
                assertThatThrownBy(connection::hello).isInstanceOf(ShimException.class)
                        .hasMessageContaining("speaks protocol " + other)
                        .hasMessageContaining("Its container runs on");
            }
        }
    }

    @Test
    void isLeftAloneByADaemonThatTakesUpContainers() {
        version = Wire.VERSION + 1;

        assertThat(new NativeShims(Path.of("/not/used")).attach(directory, Duration.ofSeconds(5))).isEmpty();
        assertThat(server.isOpen()).isTrue();
    }

    @Test
    void isSpokenToWhereTheDaemonKnowsIt() throws IOException {
        for (int known = Wire.OLDEST_VERSION; known <= Wire.VERSION; known++) {
            version = known;
            try (ShimConnection connection = ShimConnection.open(directory)) {
                assertThat(connection.hello().version()).isEqualTo(known);
            }
        }
    }

    private void serve() {
        try {
            while (true) {
                try (SocketChannel client = server.accept()) {
                    client.read(ByteBuffer.allocate(Wire.HEADER_BYTES + 2));
                    ByteBuffer welcome = ByteBuffer.allocate(Wire.HEADER_BYTES + 11);
                    welcome.putInt(12).put((byte) Wire.WELCOME).putShort((short) version)
                            .put((byte) Wire.STATE_RUNNING).putInt(1).putInt(2).flip();
                    client.write(welcome);
                    client.read(ByteBuffer.allocate(1));
                }
            }
        } catch (ClosedChannelException e) {
            // The test is over.
            return;
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
