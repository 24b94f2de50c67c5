package io.berth.shim.container;

import io.berth.shim.libc.Command;
import io.berth.shim.libc.EventLoop;
import io.berth.shim.libc.Files;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Source;
import io.berth.shim.libc.Text;
import io.berth.shim.wire.Wire;
import org.jspecify.annotations.Nullable;
import org.teavm.interop.Address;

/**
 * A process that was added to the container, and the client that has its stdio. Output is read only while the client has
 * room for it, so a slow client slows its own process and nothing else.
 */
final class Exec {
    private static final int READS_PER_TURN = 8;
    private static final int SMALL_PATH = 64;
    private static final int NOTHING = -1;

    private final Supervisor supervisor;
    private final EventLoop loop;
    private final int slot;
    private final Stdin stdin;
    private final Stream stdout = new Stream(Wire.STDOUT);
    private final Stream stderr = new Stream(Wire.STDERR);
    private final Text name = new Text(Wire.MAX_NAME_BYTES);
    private final Text pidFile = new Text(SMALL_PATH);
    private final Text logFile = new Text(SMALL_PATH);
    private final Text consoleFile = new Text(SMALL_PATH);
    private final Pipe in = new Pipe();
    private final Pipe out = new Pipe();
    private final Pipe err = new Pipe();
    private final byte[] started = new byte[8];
    private final ExitRecord exit = new ExitRecord();
    private int id;
    private boolean busy;
    private boolean pumping;
    private boolean terminal;
    private int console = NOTHING;
    private int exitStatus = NOTHING;
    private @Nullable Connection client;

    private final Children.Child runtime = new Children.Child() {
        @Override
        void exited(int status) {
            runtimeEnded(status);
        }
    };

    private final Children.Child process = new Children.Child() {
        @Override
        void exited(int status) {
            processEnded(status);
        }
    };

    Exec(Supervisor supervisor, EventLoop loop, int slot) {
        this.supervisor = supervisor;
        this.loop = loop;
        this.slot = slot;
        stdin = new Stdin(supervisor, loop);
    }

    boolean isBusy() { return busy; }

    int id() {
        return id;
    }

    Stdin stdin() {
        return stdin;
    }

    /** Begins; the client gets STARTED or ERROR when the OCI runtime has ended. */
    void start(int newId, Connection newClient, int flags, byte[] nameBytes, int nameOffset, int nameLength) {
        id = newId;
        busy = true;
        client = newClient;
        newClient.setExec(this);
        terminal = (flags & Wire.FLAG_TERMINAL) != 0;
        exitStatus = NOTHING;
        name.clear().add(nameBytes, nameOffset, nameLength);
        pidFile.clear().add("exec-").addNumber(slot).add(".pid");
        logFile.clear().add("exec-").addNumber(slot).add(".log");
        consoleFile.clear().add("exec-").addNumber(slot).add(".sock");
        Libc.unlink(pidFile.address());
        Libc.unlink(logFile.address());
        int pid = terminal ? spawnWithTerminal() : spawnWithPipes((flags & Wire.FLAG_STDIN) != 0);
        if (pid < 0 || !supervisor.children().add(runtime, pid)) {
            refuse(Wire.ERROR_FAILED,
                    supervisor.message().add("cannot run the OCI runtime: ").addError(-pid));
            return;
        }
        supervisor.children().awaitStranger();
    }

    private int spawnWithTerminal() {
        console = Console.listen(consoleFile, 1);
        if (console < 0) {
            return console;
        }
        int nowhere = supervisor.nowhere();
        return command().spawn(nowhere, nowhere, nowhere);
    }

    private int spawnWithPipes(boolean withStdin) {

        if (!out.open() || !err.open() || (withStdin && !in.open())) {
            int errno = Libc.errno();
            in.close();
            out.close();
            err.close();
            return -errno;
        }
        int pid = command().spawn(withStdin ? in.reader() : supervisor.nowhere(), out.writer(), err.writer());
        if (withStdin) {
            in.closeReader();
            stdin.open(in.takeWriter(), false);
        }
        out.closeWriter();
        err.closeWriter();
        stdout.own(out.takeReader());
        stderr.own(err.takeReader());
        return pid;
    }

    private Command command() {
        return supervisor.runtime().exec(logFile, name, pidFile, terminal, consoleFile);
    }

    private void runtimeEnded(int status) {
        supervisor.children().strangerCame();
        int pid = NOTHING;
        Text text = supervisor.message();
        if (status == 0 && Files.read(pidFile, text) > 0) {
            pid = text.number();
        }
        if (pid <= 0) {
            supervisor.runtime().addError(text.clear(), logFile, status);
            refuse(Wire.ERROR_OCI, text);
            return;
        }
        supervisor.children().add(process, pid);
        if (terminal) {
            takeTerminal();
        }
        removeFiles();
        Connection reader = client;
        if (reader == null) {
            abandon();
            return;
        }

        Wire.putInt(started, 0, id);
        Wire.putInt(started, 4, pid);
        reader.send(Wire.STARTED, started, 0, started.length);
        pump();
        supervisor.children().check(process);
    }

    private void takeTerminal() {
        int master = Console.take(console);
        if (master >= 0) {
            stdout.own(master);
            stdin.open(Libc.fcntl(master, Libc.F_DUPFD_CLOEXEC, 3), true);
        }
    }

    private void processEnded(int status) {
        exitStatus = status;
        pump();
        if (client == null) {
            free();
        }
    }

    /** The client has taken what there was. */
    void clientReads() {
        if (!pumping && process.pid() != NOTHING && !runtime.isAlive()) {
            pump();
        }
    }

    private void pump() {
        pumping = true;
        stdout.pump();
        stderr.pump();
        pumping = false;
        finishIfDone();
    }

    private void finishIfDone() {
        Connection reader = client;
        if (exitStatus == NOTHING || stdout.isOpen() || stderr.isOpen() || reader == null
                || reader.room() == 0) {
            return;
        }
        byte[] body = exit.set(exitStatus, false, supervisor.now());
        client = null;
        reader.setExec(null);
        free();
        reader.send(Wire.EXIT, body, 0, body.length);
        reader.closeWhenSent();
    }

    /** The client is gone: so is the process. */
    void abandon() {
        client = null;
        stdout.close(loop);
        stderr.close(loop);
        stdin.close(loop);
        if (process.isAlive()) {
            Libc.kill(process.pid(), Libc.SIGKILL);
        } else if (!runtime.isAlive()) {
            free();
        }
    }

    void signal(int number) {
        if (process.isAlive()) {
            Libc.kill(process.pid(), number);
        }
    }

    void resize(int columns, int rows) {
        if (terminal && stdout.isOpen()) {
            Console.resize(stdout.fd(), columns, rows);
        }
    }

    private void refuse(int kind, Text text) {
        Connection reader = client;
        client = null;
        removeFiles();
        free();
        if (reader != null) {
            reader.setExec(null);
            reader.error(kind, text);
        }
    }

    private void removeFiles() {
        Libc.unlink(name.address());
        Libc.unlink(pidFile.address());
        Libc.unlink(logFile.address());
        if (console >= 0) {
            Libc.close(console);
            Libc.unlink(consoleFile.address());
        }
        console = NOTHING;
    }

    private void free() {
        stdout.close(loop);
        stderr.close(loop);
        stdin.close(loop);
        exitStatus = NOTHING;
        busy = false;
    }

    /** One of the process's outputs. */
    private final class Stream extends Source {
        private final int type;

        Stream(int type) {
            this.type = type;
        }

        @Override
        public void ready(int events) {
            pumping = true;
            pump();
            pumping = false;
            finishIfDone();
        }

        void pump() {
            for (int i = 0; i < READS_PER_TURN && isOpen(); i++) {
                Connection reader = client;
                int room = reader == null ? 0 : reader.room();
                if (reader == null || room == 0) {
                    loop.watch(this, 0);
                    return;
                }
                int n = Libc.read(fd(), Address.ofData(reader.body()).add(reader.bodyOffset()), room);
                if (n > 0) {
                    reader.commit(type, n);
                    reader.flush();
                } else if (n < 0 && Libc.errno() == Libc.EAGAIN) {
                    // After the process's end nothing that it wrote is missing; a child of its own is not waited for.
                    if (exitStatus != NOTHING) {
                        close(loop);
                    } else {
                        loop.watch(this, Libc.EPOLLIN);
                    }
                    return;
                } else if (n == 0 || Libc.errno() != Libc.EINTR) {
                    close(loop);
                }
            }
            if (isOpen()) {
                loop.watch(this, Libc.EPOLLIN);
            }
        }
    }
}
