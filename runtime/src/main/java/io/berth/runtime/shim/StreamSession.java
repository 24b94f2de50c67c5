package io.berth.runtime.shim;

import io.berth.shim.wire.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** A connection that has become the stdio of an exec'd process, or of the container where {@code id} is 0. */
final class StreamSession implements ExecSession {
    private static final Duration CONTROL_DEADLINE = Duration.ofSeconds(10);

    private final NativeShim shim;
    private final ShimConnection connection;
    private final int id;
    private final long pid;
    private final CompletableFuture<Integer> exitCode = new CompletableFuture<>();

    StreamSession(NativeShim shim, ShimConnection connection, int id, long pid) {
        this.shim = shim;
        this.connection = connection;
        this.id = id;
        this.pid = pid;
    }

    @Override
    public long pid() {
        return pid;
    }

    @Override
    public int run(Output output) throws ShimException, IOException {
        try {
            int code = pump(output);
            exitCode.complete(code);
            return code;
        } catch (IOException | RuntimeException e) {
            exitCode.completeExceptionally(e);
            throw e;
        } finally {
            connection.close();
        }
    }

    private int pump(Output output) throws IOException {
        try {
            while (true) {
                ShimConnection.Frame frame = connection.receive();
                if (frame == null) {
                    throw new ShimException(ShimException.Kind.GONE,
                            "the shim has ended the session of process " + pid
                                    + ": it is gone, or the output was not taken in time");
                }
                switch (frame.type()) {
                    case Wire.STDOUT -> output.stdout(frame.body());
                    case Wire.STDERR -> output.stderr(frame.body());
                    case Wire.EXIT -> {
                        return ExitFile.decode(frame.body()).code();
                    }
                    default -> throw new ShimException(ShimException.Kind.FAILED,
                            "unexpected frame " + frame.type() + " in the session of process " + pid);
                }
            }
        } catch (ClosedChannelException e) {
            throw new ShimException(ShimException.Kind.FAILED,
                    "the session of process " + pid + " was closed", e);
        }
    }

    @Override
    public CompletableFuture<Integer> exitCode() {
        return exitCode;
    }

    @Override
    public void writeStdin(ByteBuffer data) throws IOException {
        while (data.hasRemaining()) {
            int length = Math.min(data.remaining(), Wire.MAX_BODY_BYTES);
            connection.send(Wire.STDIN, data.slice(data.position(), length));
            data.position(data.position() + length);
        }
    }

    @Override
    public void closeStdin() throws IOException {
        connection.send(Wire.CLOSE_STDIN, ByteBuffer.allocate(0));
    }

    @Override
    public void resize(int columns, int rows) throws IOException {
        shim.resize(id, columns, rows, CONTROL_DEADLINE);
    }

    @Override
    public void kill(int signal) throws IOException {
        if (id == 0) {
            shim.kill(signal);
        } else {
            shim.killExec(id, signal, CONTROL_DEADLINE);
        }
    }

    @Override
    public void close() {
        connection.close();
    }
}
