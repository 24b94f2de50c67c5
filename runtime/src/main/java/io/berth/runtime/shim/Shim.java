package io.berth.runtime.shim;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** One live shim. Thread-safe. */
public interface Shim extends AutoCloseable {
    /** The shim's pid. */
    long shimPid();

    /** Host pid of the container's first process. */
    long containerPid();

    /** Runs {@code <oci runtime> start}. */
    void start(Duration deadline) throws ShimException;

    /** Whether the container has been started; it may have ended since. */
    boolean started(Duration deadline) throws ShimException;

    /** Completes when the shim has written the exit record, or with UNKNOWN when the shim is gone without one. */
    CompletableFuture<ExitRecord> exit();

    /** Sends {@code signal} to the container's first process, without asking the shim; already ended is success. */
    void kill(int signal) throws ShimException;

    /**
     * Runs a process in the container with stdio of its own.
     *
     * @param processJson an OCI {@code process} object
     */
    ExecSession exec(byte[] processJson, boolean terminal, boolean stdin, Duration deadline)
            throws ShimException;

    /** Joins the container's stdio: output from now on, input where the container has stdin. */
    ExecSession attach(Duration deadline) throws ShimException;

    /** Closes and opens the log file again at its path. */
    void reopenLog(Duration deadline) throws ShimException;

    /** How many lines of its log the container has lost so far, to a full disk. */
    long lostLogLines(Duration deadline) throws ShimException;

    /** Sets the size of the container's terminal. */
    void resize(int columns, int rows, Duration deadline) throws ShimException;

    /** Asks the shim to end once the container has; the exit file stays. */
    void shutdown(Duration deadline) throws ShimException;

    /** Ends the shim by SIGKILL, whatever state it is in, and the container's processes as far as it knows them. */
    void destroy();

    /** Lets go of the connection; the shim lives on. */
    @Override
    void close();

}
