package io.berth.runtime.shim;

import io.berth.linux.Errno;
import io.berth.linux.LinuxException;
import io.berth.linux.PidFd;
import io.berth.linux.PrivateFile;
import io.berth.linux.ProcessTable;
import io.berth.shim.wire.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A shim that runs. Every call has a connection of its own, so that a slow one delays no other; one more connection waits for the
 * container's end.
 */
final class NativeShim implements Shim {
    private static final Logger LOG = LoggerFactory.getLogger(NativeShim.class);
    private static final int SIGKILL = 9;
    private static final byte[] NOTHING = {};
    private static final Duration RETRY_PAUSE = Duration.ofSeconds(1);

    private final Path directory;
    private final long shimPid;
    private final long containerPid;
    private final PidFd shimProcess;
    private final @Nullable PidFd containerProcess;
    private final CompletableFuture<ExitRecord> exit = new CompletableFuture<>();
    private volatile @Nullable ShimConnection watch;
    private volatile boolean closed;

    /** @param containerProcess null where the container has ended */
    NativeShim(Path directory, PidFd shimProcess, long containerPid, @Nullable PidFd containerProcess) {
        this(directory, shimProcess, containerPid, containerProcess, null);
    }

    /**
     * @param containerProcess null where the container has ended
     * @param greeted a connection after its HELLO, to wait for the container's end on; null for none
     */
    NativeShim(Path directory, PidFd shimProcess, long containerPid, @Nullable PidFd containerProcess,
            @Nullable ShimConnection greeted) {
        this.directory = directory;
        this.shimPid = shimProcess.pid();
        this.containerPid = containerPid;
        this.shimProcess = shimProcess;
        this.containerProcess = containerProcess;
        Thread.ofVirtual().name("shim-watch-" + shimPid).start(() -> awaitExit(greeted));
    }

    /** Opens the process {@code pid}; null where it has ended. */
    static @Nullable PidFd process(long pid) throws ShimException {
        try {
            return PidFd.open(pid);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ESRCH) {
                return null;
            }
            throw new ShimException(ShimException.Kind.FAILED, "open process " + pid + ": " + e.getMessage(),
                    e);
        }
    }

    @Override
    public long shimPid() {
        return shimPid;
    }

    @Override
    public long containerPid() {
        return containerPid;
    }

    @Override
    public void start(Duration deadline) throws ShimException {
        call("start", Wire.START, NOTHING, deadline);
    }

    @Override
    public boolean started(Duration deadline) throws ShimException {
        try (ShimConnection connection = ShimConnection.open(directory)) {
            int state = connection.within(Deadline.after(deadline), "ask for the state", connection::hello)
                    .state();
            return state == Wire.STATE_RUNNING || state == Wire.STATE_EXITED;
        }
    }

    @Override
    public CompletableFuture<ExitRecord> exit() {
        return exit;
    }

    @Override
    public void kill(int signal) throws ShimException {
        PidFd process = containerProcess;
        if (process == null || exit.isDone()) {
            return;
        }
        try {
            process.signal(signal);
        } catch (LinuxException e) {
            throw new ShimException(ShimException.Kind.FAILED,
                    "signal container process " + containerPid + ": " + e.getMessage(),
                    e);
        }
    }

    @Override
    public ExecSession exec(byte[] processJson, boolean terminal, boolean stdin, Duration deadline)
            throws ShimException {
        String name = "process-" + UUID.randomUUID();
        Path file = directory.resolve(name);
        try {
            PrivateFile.write(file, processJson);
        } catch (IOException e) {
            throw new ShimException(ShimException.Kind.FAILED, String.valueOf(e.getMessage()), e);
        }
        byte[] nameBytes = name.getBytes(StandardCharsets.US_ASCII);
        ByteBuffer body = ByteBuffer.allocate(1 + nameBytes.length);
        body.put((byte) ((terminal ? Wire.FLAG_TERMINAL : 0) | (stdin ? Wire.FLAG_STDIN : 0))).put(nameBytes);
        try {
            return session("exec", Wire.EXEC, body.array(), deadline);
        } finally {
            // The OCI runtime has read it, or never will.
            delete(file);
        }
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            LOG.atWarn().addKeyValue("file", file).setCause(e)
                    .log("cannot remove the file of an exec'd process");
        }
    }

    @Override
    public ExecSession attach(Duration deadline) throws ShimException {
        return session("attach", Wire.ATTACH, NOTHING, deadline);
    }

    private StreamSession session(String step, int type, byte[] body, Duration time) throws ShimException {
        ShimConnection connection = ShimConnection.open(directory);
        try {
            return connection.within(Deadline.after(time), step, () -> {
                connection.hello();
                ByteBuffer started = connection.call(type, body, Wire.STARTED);
                return new StreamSession(this, connection, started.getInt(), started.getInt());
            });
        } catch (ShimException e) {
            connection.close();
            throw e;
        }
    }

    @Override
    public void reopenLog(Duration deadline) throws ShimException {
        call("reopen the log", Wire.REOPEN_LOG, NOTHING, deadline);
    }

    @Override
    public long lostLogLines(Duration time) throws ShimException {
        try (ShimConnection connection = ShimConnection.open(directory)) {
            return connection.within(Deadline.after(time), "ask for the log's losses", () -> {
                connection.hello();
                return connection.call(Wire.LOG_STATUS, NOTHING, Wire.LOG_COUNTS).getLong();
            });
        }
    }

    @Override
    public void resize(int columns, int rows, Duration deadline) throws ShimException {
        resize(0, columns, rows, deadline);
    }

    void resize(int id, int columns, int rows, Duration deadline) throws ShimException {
        byte[] body = ByteBuffer.allocate(8).putInt(id).putShort((short) columns).putShort((short) rows)
                .array();
        call("resize the terminal", Wire.RESIZE, body, deadline);
    }

    void killExec(int id, int signal, Duration deadline) throws ShimException {
        call("signal a process", Wire.KILL_EXEC, ByteBuffer.allocate(8).putInt(id).putInt(signal).array(),
                deadline);
    }

    @Override
    public void shutdown(Duration time) throws ShimException {
        Deadline deadline = Deadline.after(time);
        try {
            call("shut down", Wire.SHUTDOWN, NOTHING, deadline.remaining());
        } catch (ShimException e) {
            if (e.kind() != ShimException.Kind.GONE) {
                throw e;
            }
        }
        awaitEnd(shimProcess, deadline);
    }

    private void awaitEnd(PidFd process, Deadline deadline) throws ShimException {
        try {
            if (!process.awaitExit(deadline.remaining())) {
                throw new ShimException(ShimException.Kind.TIMEOUT,
                        "process " + process.pid() + " has not ended in time");
            }
        } catch (LinuxException e) {
            throw new ShimException(ShimException.Kind.FAILED, "wait for process " + process.pid(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ShimException(ShimException.Kind.FAILED,
                    "interrupted in the wait for process " + process.pid(), e);
        }
    }

    private void call(String step, int type, byte[] body, Duration time) throws ShimException {
        try (ShimConnection connection = ShimConnection.open(directory)) {
            connection.within(Deadline.after(time), step, () -> {
                connection.hello();
                return connection.call(type, body, Wire.OK);
            });
        }
    }

    @Override
    public void destroy() {
        try {
            // With all that it has started: an OCI runtime that hangs would make the container later, unseen.
            ProcessTable.killTree(shimProcess);
        } catch (IOException e) {
            LOG.atWarn().addKeyValue("shim", shimPid).setCause(e).log("cannot end a shim's processes");
            killNow(shimProcess);
        }
        killNow(containerProcess);
    }

    private static void killNow(@Nullable PidFd process) {
        if (process == null) {
            return;
        }
        try {
            process.signal(SIGKILL);
        } catch (LinuxException e) {
            LOG.atWarn().addKeyValue("pid", process.pid()).setCause(e).log("cannot kill a process");
        }
    }

    /** Runs on a thread of its own until the container has ended, the shim is gone or {@link #close} is called. */
    private void awaitExit(@Nullable ShimConnection greeted) {
        try {
            ExitRecord record = watchForExit(greeted);
            while (record == null && !closed) {
                record = ExitFile.read(directory).orElse(null);
                if (record == null) {
                    record = afterSilence();
                }
            }
            if (record != null) {
                exit.complete(record);
            }
        } catch (RuntimeException e) {
            exit.completeExceptionally(e);
        } finally {
            if (closed) {
                closeProcesses();
            }
        }
    }

    /**
     * The connection has ended without a record. That alone is not the shim's end: a shim that answers just as a deadline passes
     * finds its connection closed, and one that is stopped takes no more of them. Only without its shim is a container lost.
     */
    private @Nullable ExitRecord afterSilence() {
        try {
            if (!shimProcess.awaitExit(RETRY_PAUSE)) {
                return closed ? null : watchForExit(null);
            }
            // Its last deed may have been to write it.
            return ExitFile.read(directory).orElseGet(this::lost);
        } catch (LinuxException e) {
            throw new IllegalStateException("wait for shim process " + shimPid, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted in the wait for shim process " + shimPid, e);
        }
    }

    /** The record that the shim sends; null where it sends none any more. */
    private @Nullable ExitRecord watchForExit(@Nullable ShimConnection greeted) {
        try (ShimConnection connection = greeted == null ? ShimConnection.open(directory) : greeted) {
            watch = connection;
            if (closed) {
                return null;
            }
            if (greeted == null) {
                connection.hello();
            }
            connection.call(Wire.WATCH, NOTHING, Wire.OK);
            return ExitFile.decode(connection.expect(Wire.EXIT));
        } catch (IOException e) {
            LOG.atDebug().addKeyValue("directory", directory).setCause(e)
                    .log("the connection to a shim has ended");
            return null;
        }
    }

    /** A container without its shim has nobody who sees its end, takes its output or gives it input: it is ended. */
    private ExitRecord lost() {
        LOG.atWarn().addKeyValue("directory", directory).addKeyValue("shim", shimPid)
                .addKeyValue("container", containerPid)
                .log("the shim is gone without an exit record; ending the container");
        destroy();
        PidFd process = containerProcess;
        try {
            if (process != null) {
                process.onExit().join();
            }
        } catch (LinuxException e) {
            throw new IllegalStateException("wait for container process " + containerPid, e);
        }
        return ExitFile.unknown();
    }

    @Override
    public void close() {
        closed = true;
        ShimConnection connection = watch;
        if (connection != null) {
            connection.close();
        }
        if (exit.isDone()) {
            closeProcesses();
        }
    }

    private void closeProcesses() {
        shimProcess.close();
        PidFd process = containerProcess;
        if (process != null) {
            process.close();
        }
    }
}
