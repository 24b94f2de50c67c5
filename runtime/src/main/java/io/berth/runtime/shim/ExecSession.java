package io.berth.runtime.shim;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;

/**
 * The stdio of a process over a shim. Output has flow control: a consumer that blocks holds back only its own session
 * (exec) or is dropped (attach), never the container's log.
 */
public interface ExecSession extends AutoCloseable {
    /** Where output goes. */
    interface Output {
        void stdout(ByteBuffer data) throws IOException;

        void stderr(ByteBuffer data) throws IOException;
    }

    /** Host pid of the process. */
    long pid();

    /** Pumps output into {@code output} on the calling thread until the process has ended and all output was delivered; gives the exit code (128+n for signal n). */
    int run(Output output) throws ShimException, IOException;

    /** The exit code, completed by {@link #run}. */
    CompletableFuture<Integer> exitCode();

    /** Blocks while the process does not read. */
    void writeStdin(ByteBuffer data) throws IOException;

    void closeStdin() throws IOException;

    void resize(int columns, int rows) throws IOException;

    void kill(int signal) throws IOException;

    /** Ends the session; an exec'd process that still runs is killed. */
    @Override
    void close();
}
