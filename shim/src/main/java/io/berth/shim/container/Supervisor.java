package io.berth.shim.container;

import io.berth.shim.libc.Command;
import io.berth.shim.libc.EventLoop;
import io.berth.shim.libc.Files;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Pages;
import io.berth.shim.libc.Signals;
import io.berth.shim.libc.Text;
import io.berth.shim.log.LineFramer;
import io.berth.shim.log.LogRecords;
import io.berth.shim.wire.Wire;
import org.jspecify.annotations.Nullable;
import org.teavm.interop.Address;

/** One container from create to its end. Its working directory is the directory it was given, and every name is relative to that. */
final class Supervisor {
    /** Exit code for what must not happen. */
    static final int EXIT_BUG = 70;

    static final int ERROR_TEXT_BYTES = 8 * 1024;

    private static final int MAX_EXECS = 64;
    private static final int MAX_CONNECTIONS = MAX_EXECS + 32;
    private static final int READ_BYTES = 64 * 1024;
    private static final int RECORDS_BYTES = 128 * 1024;
    private static final int DRAIN_READS = 64;
    private static final int LINGER_MILLIS = 10_000;
    private static final int ATTACH_KERNEL_BYTES = 1024 * 1024;
    private static final int COOL_MILLIS = 2_000;
    private static final int AFTERLIFE_MILLIS = 5_000;
    private static final int FOREVER = -1;

    private final Arguments arguments;
    private final EventLoop loop = new EventLoop(4 * MAX_CONNECTIONS);
    private final Children children = new Children(2 * MAX_EXECS + 4);
    private final Command command = new Command();
    private final LogFile log;
    private final Output stdout;
    private final Output stderr;
    private final Stdin stdin = new Stdin(this, loop);
    private final @Nullable Connection[] connections = new @Nullable Connection[MAX_CONNECTIONS];
    private final @Nullable Exec[] execs = new @Nullable Exec[MAX_EXECS];
    private final OomCounter oom = new OomCounter();
    private final byte[] clock = new byte[16];
    private final byte[] scratch = new byte[64];
    private final Text exitText = new Text(128);
    private final Text failure = new Text(ERROR_TEXT_BYTES);
    private final Text createLog = new Text(16).add("create.log");
    private final Text startLog = new Text(16).add("start.log");
    private final Text pidFile = new Text(16).add("container.pid");
    private final Text consoleName = new Text(16).add("console.sock");
    private final byte[] recordBytes;
    private final int nowhere;
    private int failureKind = Wire.ERROR_FAILED;
    private int state = Wire.STATE_CREATING;
    private int containerPid;
    private int console = -1;
    private int execCounter;
    private byte[] exitRecord = new byte[0];
    private boolean running = true;
    private boolean warm;
    private boolean exitFileWritten;
    private boolean failureTold;
    private @Nullable Connection createWaiter;
    private @Nullable Connection startWaiter;

    private final Children.Child create = new Children.Child() {
        @Override
        void exited(int status) {
            createEnded(status);
        }
    };

    private final Children.Child start = new Children.Child() {
        @Override
        void exited(int status) {
            startEnded(status);
        }
    };

    private final Children.Child container = new Children.Child() {
        @Override
        void exited(int status) {
            containerEnded(status);
        }
    };

    Supervisor(Arguments arguments, int nowhere) {
        this.arguments = arguments;
        this.nowhere = nowhere;
        NativeMemory memory = new NativeMemory();
        log = new LogFile(arguments.bytes(), arguments.log());
        recordBytes = Pages.allocate(RECORDS_BYTES);
        LogRecords records = new LogRecords(recordBytes, memory, log);
        stdout = output(memory, records, false);
        stderr = output(memory, records, true);

    }

    private Output output(NativeMemory memory, LogRecords records, boolean isStderr) {
        LineFramer framer = new LineFramer(Pages.allocate(READ_BYTES), memory, records, isStderr);
        return new Output(this, loop, framer, isStderr, log.discards());
    }

    /** Serves until told to end, or until a failure was reported. */
    void run(int listener) {
        Signals.blockAll();
        Libc.prctl(Libc.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        children.open(loop);
        new ControlSocket(this, listener).open(loop);
        Files.writeAtomically(new Text(16).add("shim.pid"), new Text(16).add(".shim.pid"),
                new Text(16).addNumber(Libc.getpid()).add("\n"));
        beginCreate();
        while (running) {
            boolean busy = loop.turn(patienceMillis());
            if (state == Wire.STATE_FAILED && (failureTold || !busy) && !anyConnected()) {
                running = false;
            }
            if (!busy) {
                idle();
            }
        }
        Libc.unlink(new Text(16).add("shim.sock").address());
    }

    private int patienceMillis() {
        if (warm) {
            return COOL_MILLIS;
        }
        return switch (state) {
            case Wire.STATE_FAILED -> LINGER_MILLIS;
            case Wire.STATE_EXITED -> AFTERLIFE_MILLIS;
            default -> FOREVER;
        };
    }

    private void idle() {
        if (warm) {
            coolDown();
        }
        if (state == Wire.STATE_EXITED) {
            writeExitFile();
            // Who removed the directory will never ask again.
            int socket = Libc.open(new Text(16).add("shim.sock").address(), Libc.O_PATH | Libc.O_CLOEXEC, 0);
            running = socket >= 0;
            Libc.close(socket);
        }
    }

    /** Gives back what a burst of output has used. */
    private void coolDown() {
        warm = false;
        stdout.coolDown();
        stderr.coolDown();
        Pages.release(recordBytes);
    }

    private boolean anyConnected() {
        for (int i = 0; i < connections.length; i++) {
            Connection client = connections[i];
            if (client != null && client.isOpen()) {
                return true;
            }
        }
        return false;
    }

    // Create

    private void beginCreate() {
        int errno = log.reopen();
        if (errno != 0) {
            failure.clear().add("open log file: ").addError(errno);
            fail();
            return;
        }
        Libc.unlink(createLog.address());
        int pid = arguments.terminal() ? createWithTerminal() : createWithPipes();
        if (pid < 0 || !children.add(create, pid)) {
            failure.clear().add("cannot run the OCI runtime: ").addError(-pid);
            fail();
            return;
        }
        children.awaitStranger();
    }

    private int createWithTerminal() {
        console = Console.listen(consoleName, 1);
        if (console < 0) {
            return console;
        }
        return createCommand().spawn(nowhere, nowhere, nowhere);
    }

    private int createWithPipes() {
        Pipe in = new Pipe();
        Pipe out = new Pipe();
        Pipe err = new Pipe();
        if (!out.open() || !err.open() || (arguments.stdin() && !in.open())) {
            return -Libc.errno();
        }
        int pid = createCommand().spawn(arguments.stdin() ? in.reader() : nowhere, out.writer(),
                err.writer());
        out.closeWriter();
        err.closeWriter();
        in.closeReader();
        stdout.own(out.takeReader());
        stderr.own(err.takeReader());
        if (arguments.stdin()) {
            stdin.open(in.takeWriter(), false);
        }
        return pid;
    }

    private Command createCommand() {
        Command create = runtimeCommand(createLog).argument("create").argument("--bundle");
        addArgument(create.argument(), arguments.bundle());
        create.argument("--pid-file");
        addPath(create.argument(), pidFile);
        if (arguments.terminal()) {
            create.argument("--console-socket");
            addShortPath(create.argument(), consoleName);
        }
        for (int i = 0; i < arguments.createArgumentCount(); i++) {
            addArgument(create.argument(), arguments.createArgument(i));
        }
        addId(create.argument());
        return create;
    }

    private void createEnded(int status) {
        children.strangerCame();
        Text text = new Text(16);
        int pid = status == 0 && Files.read(pidFile, text) > 0 ? text.number() : -1;
        if (pid <= 0) {
            failureKind = Wire.ERROR_OCI;
            runtimeError(failure.clear(), createLog, status);
            if (failure.length() == 0 && stderr.isOpen()) {
                failure.addFrom(stderr.fd());
            }
            fail();
            return;
        }
        children.add(container, pid);
        containerPid = pid;
        state = Wire.STATE_CREATED;
        if (arguments.terminal()) {
            takeTerminal();
        }
        stdout.discard();
        stderr.discard();
        watchOutput(stdout);
        watchOutput(stderr);
        oom.open(pid);
        Libc.unlink(createLog.address());
        Connection waiter = createWaiter;
        if (waiter != null) {
            createWaiter = null;
            sendCreated(waiter);
        }
    }

    private void takeTerminal() {
        int master = Console.take(console);
        Libc.close(console);
        Libc.unlink(consoleName.address());
        if (master >= 0) {
            stdout.own(master);
            if (arguments.stdin()) {
                stdin.open(Libc.fcntl(master, Libc.F_DUPFD_CLOEXEC, 3), true);
            }
        }
    }

    private void watchOutput(Output output) {
        if (output.isOpen()) {
            loop.watch(output, Libc.EPOLLIN);
        }
    }

    private void tellFailure(Connection client) {
        failureTold = true;
        client.error(failureKind, failure);
        client.closeWhenSent();
    }

    /** The failure is what {@link #failure} says. */
    private void fail() {
        state = Wire.STATE_FAILED;
        Connection waiter = createWaiter;
        if (waiter != null) {
            createWaiter = null;
            tellFailure(waiter);
        }
    }

    private void sendCreated(Connection client) {
        Wire.putInt(scratch, 0, containerPid);
        client.send(Wire.OK, scratch, 0, 4);
    }

    // Start and end

    private void startEnded(int status) {
        Connection waiter = startWaiter;
        startWaiter = null;
        if (status == 0 && state == Wire.STATE_CREATED) {
            state = Wire.STATE_RUNNING;
        }
        if (waiter != null) {
            if (status == 0) {
                waiter.send(Wire.OK);
            } else {
                Text text = new Text(ERROR_TEXT_BYTES);
                runtimeError(text, startLog, status);
                waiter.error(Wire.ERROR_OCI, text);
            }
        }
        Libc.unlink(startLog.address());
    }

    private void containerEnded(int status) {
        long time = now();
        stdout.pump(DRAIN_READS);
        stderr.pump(DRAIN_READS);
        stdout.finish();
        stderr.finish();
        boolean killed = oom.increased();
        int code = Children.code(status);
        int signal = Children.signal(status);
        exitText.clear().add("code=").addNumber(code).add(" signal=").addNumber(signal)
                .add(" oom=")
                .addNumber(killed ? 1 : 0).add(" time=").addNumber(time).add("\n");
        writeExitFile();
        state = Wire.STATE_EXITED;
        stdin.close(loop);
        exitRecord = exitBody(code, signal, killed, time);
        for (int i = 0; i < connections.length; i++) {
            Connection client = connections[i];
            if (client != null && client.isOpen() && (client.watches() || client.attached())) {
                client.send(Wire.EXIT, exitRecord, 0, exitRecord.length);
                if (client.attached()) {
                    client.closeWhenSent();
                }
            }
        }
    }

    /** Once; a full disk is tried again. */
    private void writeExitFile() {
        if (!exitFileWritten) {
            exitFileWritten = Files.writeAtomically(new Text(16).add("exit"), new Text(16).add(".exit"),
                    exitText) >= 0;
        }
    }

    static byte[] exitBody(int code, int signal, boolean oomKilled, long nanos) {
        byte[] body = new byte[17];
        Wire.putInt(body, 0, code);
        Wire.putInt(body, 4, signal);
        body[8] = (byte) (oomKilled ? 1 : 0);
        Wire.putLong(body, 9, nanos);
        return body;
    }

    // Requests

    void request(Connection client, int type, byte[] bytes, int at, int length) {
        if (!client.greeted() && type != Wire.HELLO) {
            client.fail(Wire.ERROR_PROTOCOL, "the first frame must be HELLO");
            return;
        }
        switch (type) {
            case Wire.HELLO -> hello(client);
            case Wire.AWAIT_CREATED -> awaitCreated(client);
            case Wire.START -> start(client);
            case Wire.WATCH -> watch(client);
            case Wire.EXEC -> exec(client, bytes, at, length);
            case Wire.ATTACH -> attach(client);
            case Wire.CLOSE_STDIN -> closeStdin(client);
            case Wire.REOPEN_LOG -> reopenLog(client);
            case Wire.RESIZE -> resize(client, bytes, at, length);
            case Wire.KILL_EXEC -> killExec(client, bytes, at, length);
            case Wire.LOG_STATUS -> logStatus(client);
            case Wire.SHUTDOWN -> shutdown(client);
            default -> client.fail(Wire.ERROR_PROTOCOL, "unknown type of frame");
        }
    }

    private void logStatus(Connection client) {
        Wire.putLong(scratch, 0, log.droppedLines());
        Wire.putLong(scratch, 8, log.droppedBytes());
        client.send(Wire.LOG_COUNTS, scratch, 0, 16);
    }

    private void hello(Connection client) {
        client.setGreeted();
        scratch[0] = 0;
        scratch[1] = Wire.VERSION;
        scratch[2] = (byte) state;
        Wire.putInt(scratch, 3, Libc.getpid());
        Wire.putInt(scratch, 7, containerPid);
        client.send(Wire.WELCOME, scratch, 0, 11);
    }

    private void awaitCreated(Connection client) {
        if (state == Wire.STATE_CREATING) {
            createWaiter = client;
        } else if (state == Wire.STATE_FAILED) {
            tellFailure(client);
        } else {
            sendCreated(client);
        }
    }

    private void start(Connection client) {
        if (state != Wire.STATE_CREATED || start.isAlive()) {
            client.error(Wire.ERROR_STATE, "the container is not waiting to be started");
            return;
        }
        Libc.unlink(startLog.address());
        Command starting = runtimeCommand(startLog).argument("start");
        addId(starting.argument());
        int pid = starting.spawn(nowhere, nowhere, nowhere);
        if (pid < 0 || !children.add(start, pid)) {
            client.error(Wire.ERROR_FAILED, new Text(128).add("cannot run the OCI runtime: ").addError(-pid));
            return;
        }
        startWaiter = client;
    }

    private void watch(Connection client) {
        client.setWatches();
        client.send(Wire.OK);
        if (state == Wire.STATE_EXITED) {
            client.send(Wire.EXIT, exitRecord, 0, exitRecord.length);
        }
    }

    private void exec(Connection client, byte[] bytes, int at, int length) {
        if (state != Wire.STATE_RUNNING && state != Wire.STATE_CREATED) {
            client.error(Wire.ERROR_STATE, "the container has ended");
        } else if (client.exec() != null || client.attached()) {
            client.fail(Wire.ERROR_PROTOCOL, "the connection has a session already");
        } else if (length < 1 || !Wire.isPlainName(bytes, at + 1, length - 1)) {
            client.fail(Wire.ERROR_PROTOCOL,
                    "EXEC needs flags and the name of a process file in the supervisor's directory");
        } else {
            for (int i = 0; i < execs.length; i++) {
                Exec exec = execs[i];
                if (exec == null) {
                    exec = new Exec(this, loop, i);
                    execs[i] = exec;
                }
                if (!exec.isBusy()) {
                    exec.start(++execCounter, client, bytes[at], bytes, at + 1, length - 1);
                    return;
                }
            }
            client.error(Wire.ERROR_BUSY,
                    "64 processes are being executed in this container already; try again when one has ended");
        }
    }

    private void attach(Connection client) {
        if (state == Wire.STATE_EXITED || client.exec() != null || client.attached()) {
            client.error(Wire.ERROR_STATE,
                    "the container has ended, or the connection has a session already");
            return;
        }
        client.setAttached();
        client.enlargeKernelBuffer(ATTACH_KERNEL_BYTES);
        Wire.putInt(scratch, 0, 0);
        Wire.putInt(scratch, 4, containerPid);
        client.send(Wire.STARTED, scratch, 0, 8);
    }

    private void closeStdin(Connection client) {
        Exec exec = client.exec();
        if (exec != null) {
            exec.stdin().end();
        } else if (client.attached() && arguments.stdinOnce()) {
            stdin.end();
        }
    }

    private void reopenLog(Connection client) {
        int errno = log.reopen();
        if (errno == 0) {
            client.send(Wire.OK);
        } else {
            client.error(Wire.ERROR_FAILED, new Text(128).add("open log file: ").addError(errno));
        }
    }

    private void resize(Connection client, byte[] bytes, int at, int length) {
        if (length != 8) {
            client.fail(Wire.ERROR_PROTOCOL, "RESIZE needs an id, columns and rows");
            return;
        }
        int id = Wire.intAt(bytes, at);
        int columns = Wire.shortAt(bytes, at + 4);
        int rows = Wire.shortAt(bytes, at + 6);
        Exec exec = execById(id);
        if (exec != null) {
            exec.resize(columns, rows);
        } else if (id == 0 && arguments.terminal() && stdout.isOpen()) {
            Console.resize(stdout.fd(), columns, rows);
        }
        client.send(Wire.OK);
    }

    private void killExec(Connection client, byte[] bytes, int at, int length) {
        if (length != 8) {
            client.fail(Wire.ERROR_PROTOCOL, "KILL_EXEC needs an id and a signal");
            return;
        }
        Exec exec = execById(Wire.intAt(bytes, at));
        if (exec != null) {
            exec.signal(Wire.intAt(bytes, at + 4));
        }
        client.send(Wire.OK);
    }

    private @Nullable Exec execById(int id) {
        for (int i = 0; i < execs.length; i++) {
            Exec exec = execs[i];
            if (exec != null && exec.isBusy() && exec.id() == id) {
                return exec;
            }
        }
        return null;
    }

    private void shutdown(Connection client) {
        if (state == Wire.STATE_EXITED || state == Wire.STATE_FAILED) {
            client.send(Wire.OK);
            running = false;
        } else {
            client.error(Wire.ERROR_STATE, "the container has not ended");
        }
    }

    // What connections, execs and outputs ask for

    void accepted(int fd) {
        for (int i = 0; i < connections.length; i++) {
            Connection client = connections[i];
            if (client == null) {
                client = new Connection(this, loop);
                connections[i] = client;
            }
            if (!client.isOpen()) {
                client.open(fd);
                return;
            }
        }
        Libc.close(fd);
    }

    void disconnected(Connection client) {
        if (createWaiter == client) {
            createWaiter = null;
        }
        if (startWaiter == client) {
            startWaiter = null;
        }
        Exec exec = client.exec();
        if (exec != null) {
            exec.abandon();
        } else if (client.attached() && arguments.stdinOnce()) {
            stdin.end();
        }
    }

    @Nullable
    Stdin stdinOf(Connection client) {
        Exec exec = client.exec();
        return exec != null ? exec.stdin() : client.attached() ? stdin : null;
    }

    void stdinReady(Stdin which) {
        for (int i = 0; i < connections.length; i++) {
            Connection client = connections[i];
            if (client != null && client.isOpen() && client.stalledOn() == which) {
                client.resume();
            }
        }
    }

    void attachments(int type, byte[] bytes, int offset, int length) {
        warm = true;
        for (int i = 0; i < connections.length; i++) {
            Connection client = connections[i];
            if (client != null && client.isOpen() && client.attached()) {
                for (int done = 0; done < length; done += Wire.MAX_BODY_BYTES) {
                    client.send(type, bytes, offset + done,
                            Math.min(Wire.MAX_BODY_BYTES, length - done));
                }
            }
        }
    }

    Children children() {
        return children;
    }

    int nowhere() {
        return nowhere;
    }

    long now() {
        Libc.clockGettime(Libc.CLOCK_REALTIME, Address.ofData(clock));
        return Wire.longLittle(clock, 0) * 1_000_000_000L + Wire.longLittle(clock, 8);
    }

    // The OCI runtime's command line

    /** The runtime with its global arguments, logging to {@code logName}. */
    Command runtimeCommand(Text logName) {
        command.clear();
        for (int i = 0; i < arguments.runtimeCount(); i++) {
            addArgument(command.argument(), arguments.runtime(i));
        }
        command.argument("--log");
        addPath(command.argument(), logName);
        return command.argument("--log-format").argument("json");
    }

    private void addArgument(Text text, int offset) {
        text.add(arguments.bytes(), offset, arguments.length(offset));
    }

    void addId(Text text) {
        addArgument(text, arguments.id());
    }

    void addPath(Text text, Text name) {
        addArgument(text, arguments.directory());
        text.add("/").add(name);
    }

    /** A path that fits a socket's address however long the directory's is. */
    void addShortPath(Text text, Text name) {
        text.add("/proc/").addNumber(Libc.getpid()).add("/cwd/").add(name);
    }

    /** What the runtime logged before it failed. */
    void runtimeError(Text text, Text logName, int status) {
        Files.readEnd(logName, text);
        if (text.length() == 0 && Children.code(status) == Command.CANNOT_EXECUTE) {
            text.add("cannot execute the OCI runtime ");
            addArgument(text, arguments.runtime(0));
        }
    }
}
