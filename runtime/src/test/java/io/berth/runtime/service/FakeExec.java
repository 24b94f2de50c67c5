package io.berth.runtime.service;

import io.berth.runtime.shim.ExecSession;
import io.berth.runtime.shim.ShimException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;

/** A command that writes two lines and then waits for its end, which is a signal or {@link #close}. */
final class FakeExec implements ExecSession {
    private final CompletableFuture<Integer> exit = new CompletableFuture<>();

    @Override
    public long pid() {
        return 1;
    }

    @Override
    public int run(Output output) throws ShimException, IOException {
        output.stdout(ByteBuffer.wrap("out\n".getBytes(StandardCharsets.UTF_8)));
        output.stderr(ByteBuffer.wrap("err\n".getBytes(StandardCharsets.UTF_8)));
        return exit.join();
    }

    @Override
    public CompletableFuture<Integer> exitCode() {
        return exit;
    }

    @Override
    public void writeStdin(ByteBuffer data) {}

    @Override
    public void closeStdin() {}

    @Override
    public void resize(int columns, int rows) {}

    @Override
    public void kill(int signal) {
        exit.complete(128 + signal);
    }

    @Override
    public void close() {
        exit.complete(137);
    }
}
