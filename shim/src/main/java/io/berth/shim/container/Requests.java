package io.berth.shim.container;

import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Text;
import io.berth.shim.wire.Wire;
import org.jspecify.annotations.Nullable;

/** What clients ask for, see {@code docs/shim-protocol.md}. */
final class Requests {
    private static final int ATTACH_KERNEL_BYTES = 1024 * 1024;

    private final Supervisor supervisor;
    private final Execs execs;
    private final byte[] reply = new byte[64];

    Requests(Supervisor supervisor, Execs execs) {
        this.supervisor = supervisor;
        this.execs = execs;
    }

    void handle(Connection client, int type, byte[] bytes, int at, int length) {
        if (!client.greeted() && type != Wire.HELLO) {
            client.fail(Wire.ERROR_PROTOCOL, "the first frame must be HELLO");
            return;
        }
        switch (type) {
            case Wire.HELLO -> hello(client, bytes, at, length);
            case Wire.AWAIT_CREATED -> supervisor.awaitCreated(client);
            case Wire.START -> supervisor.start(client);
            case Wire.WATCH -> supervisor.watch(client);
            case Wire.EXEC -> exec(client, bytes, at, length);
            case Wire.ATTACH -> attach(client);
            case Wire.CLOSE_STDIN -> closeStdin(client);
            case Wire.REOPEN_LOG -> reopenLog(client);
            case Wire.RESIZE -> resize(client, bytes, at, length);
            case Wire.KILL_EXEC -> killExec(client, bytes, at, length);
            case Wire.LOG_STATUS -> logStatus(client);
            case Wire.SHUTDOWN -> supervisor.shutdown(client);
            default -> client.fail(Wire.ERROR_PROTOCOL, "unknown type of frame");
        }
    }

    /** The version to speak is the newest that both know. */
    private void hello(Connection client, byte[] bytes, int at, int length) {
        int theirs = length < 2 ? 0 : Wire.shortAt(bytes, at);
        if (theirs == 0) {
            client.fail(Wire.ERROR_PROTOCOL, "HELLO without a version");
            return;
        }
        client.setGreeted();
        reply[0] = 0;
        reply[1] = (byte) Math.min(theirs, Wire.VERSION);
        reply[2] = (byte) supervisor.state();
        Wire.putInt(reply, 3, Libc.getpid());
        Wire.putInt(reply, 7, supervisor.containerPid());
        client.send(Wire.WELCOME, reply, 0, 11);
    }

    private void exec(Connection client, byte[] bytes, int at, int length) {
        if (!supervisor.hasProcess()) {
            client.error(Wire.ERROR_STATE, "the container has ended");
        } else if (client.exec() != null || client.attached()) {
            client.fail(Wire.ERROR_PROTOCOL, "the connection has a session already");
        } else if (length < 1 || !Wire.isPlainName(bytes, at + 1, length - 1)) {
            client.fail(Wire.ERROR_PROTOCOL,
                    "EXEC needs flags and the name of a process file in the supervisor's directory");
        } else if (!execs.start(client, bytes[at], bytes, at + 1, length - 1)) {
            client.error(Wire.ERROR_BUSY,
                    "64 processes are being executed in this container already; try again when one has ended");
        }
    }

    private void attach(Connection client) {
        if (!supervisor.hasProcess() || client.exec() != null || client.attached()) {
            client.error(Wire.ERROR_STATE,
                    "the container has ended, or the connection has a session already");
            return;
        }
        client.setAttached();
        client.enlargeKernelBuffer(ATTACH_KERNEL_BYTES);
        Wire.putInt(reply, 0, 0);
        Wire.putInt(reply, 4, supervisor.containerPid());
        client.send(Wire.STARTED, reply, 0, 8);
    }

    /** The process that the client feeds, if any. */
    @Nullable
    Stdin stdinOf(Connection client) {
        Exec exec = client.exec();
        if (exec != null) {
            return exec.stdin();
        }
        return client.attached() ? supervisor.stdin() : null;
    }

    private void closeStdin(Connection client) {
        Exec exec = client.exec();
        if (exec != null) {
            exec.stdin().end();
        } else if (client.attached()) {
            supervisor.stdinLeft();
        }
    }

    /** The client has gone. */
    void disconnected(Connection client) {
        Exec exec = client.exec();
        if (exec != null) {
            exec.abandon();
        } else if (client.attached()) {
            supervisor.stdinLeft();
        }
        supervisor.disconnected(client);
    }

    private void reopenLog(Connection client) {
        int errno = supervisor.log().reopen();
        if (errno == 0) {
            client.send(Wire.OK);
        } else {
            Text text = supervisor.message();
            client.error(Wire.ERROR_FAILED, text.add("open log file: ").addError(errno));
        }
    }

    private void logStatus(Connection client) {
        Wire.putLong(reply, 0, supervisor.log().droppedLines());
        Wire.putLong(reply, 8, supervisor.log().droppedBytes());
        client.send(Wire.LOG_COUNTS, reply, 0, 16);
    }

    private void resize(Connection client, byte[] bytes, int at, int length) {
        if (length != 8) {
            client.fail(Wire.ERROR_PROTOCOL, "RESIZE needs an id, columns and rows");
            return;
        }
        int id = Wire.intAt(bytes, at);
        int columns = Wire.shortAt(bytes, at + 4);
        int rows = Wire.shortAt(bytes, at + 6);
        Exec exec = execs.find(id);
        if (exec != null) {
            exec.resize(columns, rows);
        } else if (id == 0) {
            supervisor.resize(columns, rows);
        }
        client.send(Wire.OK);
    }

    private void killExec(Connection client, byte[] bytes, int at, int length) {
        if (length != 8) {
            client.fail(Wire.ERROR_PROTOCOL, "KILL_EXEC needs an id and a signal");
            return;
        }
        Exec exec = execs.find(Wire.intAt(bytes, at));
        if (exec != null) {
            exec.signal(Wire.intAt(bytes, at + 4));
        }
        client.send(Wire.OK);
    }
}
