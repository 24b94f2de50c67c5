package io.berth.shim.container;

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

    static final int MESSAGE_BYTES = 8 * 1024;

    private static final int READ_BYTES = 64 * 1024;
    private static final int RECORDS_BYTES = 128 * 1024;
    private static final int DRAIN_READS = 64;
    private static final int LINGER_MILLIS = 10_000;
    private static final int COOL_MILLIS = 2_000;
    private static final int AFTERLIFE_MILLIS = 5_000;
    private static final int FOREVER = -1;

    private final Arguments arguments;
    private final EventLoop loop = new EventLoop(4 * Clients.MAX);
    private final Children children = new Children(2 * Execs.MAX + 4);
    private final RuntimeCommand runtime;
    private final LogFile log;
    private final byte[] recordBytes = Pages.allocate(RECORDS_BYTES);
    private final Output stdout;
    private final Output stderr;
    private final Stdin stdin = new Stdin(this, loop);
    private final Clients clients = new Clients(new Requests(this, new Execs(this, loop)), loop);
    private final Pace pace = new Pace(clients, loop);
    private final OomCounter oom = new OomCounter(loop);
    private final ExitRecord exit = new ExitRecord();
    private final byte[] clock = new byte[16];
    private final byte[] pidBytes = new byte[4];
    private final Text failure = new Text(MESSAGE_BYTES);
    private final Text message = new Text(MESSAGE_BYTES);
    private final Text socketName = new Text(16).add("shim.sock");
    private final Text createLog = new Text(16).add("create.log");
    private final Text startLog = new Text(16).add("start.log");
    private final Text pidFile = new Text(16).add("container.pid");
    private final Text consoleName = new Text(16).add("console.sock");
    private final int nowhere;
    private int failureKind = Wire.ERROR_FAILED;
    private int state = Wire.STATE_CREATING;
    private int containerPid;
    private int console = -1;
    private boolean running = true;
    private boolean warm;
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

    /** @param nowhere a {@link NullDevice} */
    Supervisor(Arguments arguments, int nowhere) {
        this.arguments = arguments;
        this.nowhere = nowhere;
        runtime = new RuntimeCommand(arguments);
        log = new LogFile(arguments.bytes(), arguments.log());
        NativeMemory memory = new NativeMemory();
        LogRecords records = new LogRecords(recordBytes, memory, log);
        stdout = output(memory, records, false);
        stderr = output(memory, records, true);
        pace.of(stdout, stderr);
    }

    private Output output(NativeMemory memory, LogRecords records, boolean isStderr) {
        LineFramer framer = new LineFramer(Pages.allocate(READ_BYTES), memory, records, isStderr);
        return new Output(this, loop, framer, isStderr, log.discards());
    }

    /** Serves until told to end, until a failure was reported or, after the container's end, until the directory is removed. */
    void run(int listener) {
        Signals.blockAll();
        Libc.prctl(Libc.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        children.open(loop);
        new ControlSocket(clients, listener).open(loop);
        Files.writeAtomically(new Text(16).add("shim.pid"), new Text(16).add(".shim.pid"),
                new Text(16).addNumber(Libc.getpid()).add("\n"));
        beginCreate();
        while (running) {
            boolean busy = loop.turn(patienceMillis());
            pace.check();
            if (state == Wire.STATE_FAILED && (failureTold || !busy) && !clients.any()) {
                running = false;
            }
            if (!busy) {
                idle();
            }
        }
        Libc.unlink(socketName.address());
    }

    private int patienceMillis() {
        if (pace.isHolding()) {
            return pace.patienceMillis();
        }
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
            exit.write();
            // Who removed the directory will never ask again.
            int socket = Libc.open(socketName.address(), Libc.O_PATH | Libc.O_CLOEXEC, 0);
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
        return runtime.create(createLog, pidFile, consoleName).spawn(nowhere, nowhere, nowhere);
    }

    private int createWithPipes() {
        Pipe in = new Pipe();
        Pipe out = new Pipe();
        Pipe err = new Pipe();
        if (!out.open() || !err.open() || (arguments.stdin() && !in.open())) {
            return -Libc.errno();
        }
        int pid = runtime.create(createLog, pidFile, consoleName).spawn(
                arguments.stdin() ? in.reader() : nowhere,
                out.writer(), err.writer());
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

    private void createEnded(int status) {
        children.strangerCame();
        int pid = status == 0 && Files.read(pidFile, message()) > 0 ? message.number() : -1;
        if (pid <= 0) {
            failureKind = Wire.ERROR_OCI;
            runtime.addError(failure.clear(), createLog, status);
            if (failure.length() == 0 && stderr.isOpen()) {
                failure.addFrom(stderr.fd());
            }
            fail();
            return;
        }
        children.add(container, pid);
        containerPid = pid;
        state = arguments.restore() ? Wire.STATE_RUNNING : Wire.STATE_CREATED;
        if (arguments.terminal()) {
            takeTerminal();
        }
        // A restored program writes while the runtime has not ended yet.
        stdout.begin(!arguments.restore());
        stderr.begin(!arguments.restore());
        oom.open(pid);
        Libc.unlink(createLog.address());
        Connection waiter = createWaiter;
        if (waiter != null) {
            createWaiter = null;
            awaitCreated(waiter);
        }
        children.check(container);
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

    /** {@link #failure} says why. */
    private void fail() {
        state = Wire.STATE_FAILED;
        Connection waiter = createWaiter;
        if (waiter != null) {
            createWaiter = null;
            awaitCreated(waiter);
        }
    }

    private void startEnded(int status) {
        Connection waiter = startWaiter;
        startWaiter = null;
        if (status == 0 && state == Wire.STATE_CREATED) {
            state = Wire.STATE_RUNNING;
        }
        if (waiter != null && status == 0) {
            waiter.send(Wire.OK);
        } else if (waiter != null) {
            runtime.addError(message(), startLog, status);
            waiter.error(Wire.ERROR_OCI, message);
        }
        Libc.unlink(startLog.address());
    }

    private void containerEnded(int status) {
        long time = now();
        // First of all: the cgroup may go at any moment now.
        boolean oomKilled = oom.increased();
        stdout.drain(DRAIN_READS);
        stderr.drain(DRAIN_READS);
        stdout.finish();
        stderr.finish();
        log.tellLoss();
        exit.set(status, oomKilled, time);
        exit.write();
        state = Wire.STATE_EXITED;
        stdin.close(loop);
        clients.ended(exit.body());
    }

    // Requests that change or await the container's state

    void awaitCreated(Connection client) {
        if (state == Wire.STATE_CREATING) {
            createWaiter = client;
        } else if (state == Wire.STATE_FAILED) {
            failureTold = true;
            client.error(failureKind, failure);
            client.closeWhenSent();
        } else {
            Wire.putInt(pidBytes, 0, containerPid);
            client.send(Wire.OK, pidBytes, 0, pidBytes.length);
        }
    }

    void start(Connection client) {
        if (state != Wire.STATE_CREATED || start.isAlive()) {
            client.error(Wire.ERROR_STATE, "the container is not waiting to be started");
            return;
        }
        Libc.unlink(startLog.address());
        int pid = runtime.start(startLog).spawn(nowhere, nowhere, nowhere);
        if (pid < 0 || !children.add(start, pid)) {
            client.error(Wire.ERROR_FAILED, message().add("cannot run the OCI runtime: ").addError(-pid));
            return;
        }
        startWaiter = client;
    }

    void watch(Connection client) {
        client.setWatches();
        client.send(Wire.OK);
        if (state == Wire.STATE_EXITED) {
            client.send(Wire.EXIT, exit.body(), 0, exit.body().length);
        }
    }

    void shutdown(Connection client) {
        if (state == Wire.STATE_EXITED || state == Wire.STATE_FAILED) {
            client.send(Wire.OK);
            running = false;
        } else {
            client.error(Wire.ERROR_STATE, "the container has not ended");
        }
    }

    void resize(int columns, int rows) {
        if (arguments.terminal() && stdout.isOpen()) {
            Console.resize(stdout.fd(), columns, rows);
        }
    }

    /** An attached client gives no more input. */
    void stdinLeft() {
        if (arguments.stdinOnce()) {
            stdin.end();
        }
    }

    void disconnected(Connection client) {
        if (createWaiter == client) {
            createWaiter = null;
        }
        if (startWaiter == client) {
            startWaiter = null;
        }
    }

    // What the other parts use

    /** Gives the container's output to all who are attached. */
    void output(int type, byte[] bytes, int offset, int length) {
        warm = true;
        clients.output(type, bytes, offset, length);
    }

    void stdinReady(Stdin which) {
        clients.stdinReady(which);
    }

    int state() {
        return state;
    }

    boolean hasProcess() {
        return state == Wire.STATE_CREATED || state == Wire.STATE_RUNNING;
    }

    int containerPid() {
        return containerPid;
    }

    Stdin stdin() {
        return stdin;
    }

    LogFile log() {
        return log;
    }

    Pace pace() {
        return pace;
    }

    Children children() {
        return children;
    }

    RuntimeCommand runtime() {
        return runtime;
    }

    int nowhere() {
        return nowhere;
    }

    /** An empty text for one message; the next caller gets the same. */
    Text message() {
        return message.clear();
    }

    /** Nanoseconds since 1970. */
    long now() {
        Libc.clockGettime(Libc.CLOCK_REALTIME, Address.ofData(clock));
        return Wire.longLittle(clock, 0) * 1_000_000_000L + Wire.longLittle(clock, 8);
    }
}
