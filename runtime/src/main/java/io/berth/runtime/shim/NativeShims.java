package io.berth.runtime.shim;

import io.berth.linux.ChildProcess;
import io.berth.linux.PidFd;
import io.berth.linux.ProcessTable;
import io.berth.shim.wire.Wire;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Shims that are processes of the program {@code berth-shim}. */
public final class NativeShims implements Shims {
    private static final String DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private static final String PAUSE_PID_FILE = "pause.pid";
    private static final String SHIM_PID_FILE = "shim.pid";
    private static final String CONTAINER_PID_FILE = "container.pid";
    private static final Map<String, String> ENVIRONMENT = environment(System.getenv());
    private static final Duration AFTER_FAILURE = Duration.ofSeconds(2);

    private final Path shimBinary;
    private final List<Path> cgroupProcs;

    /** @param shimBinary the program; its shims stay in the daemon's cgroup */
    public NativeShims(Path shimBinary) {
        this(shimBinary, List.of());
    }

    /**
     * @param shimBinary the program
     * @param cgroupProcs {@code cgroup.procs} files that a container's shim enters, one for each hierarchy
     */
    public NativeShims(Path shimBinary, List<Path> cgroupProcs) {
        this.shimBinary = shimBinary;
        this.cgroupProcs = List.copyOf(cgroupProcs);
    }

    @Override
    public Shim create(ShimSpec spec, Duration time) throws ShimException {
        Deadline deadline = Deadline.after(time);
        run(containerCommand(spec), deadline);
        try (ShimConnection connection = ShimConnection.open(spec.directory())) {
            ShimConnection.Welcome welcome = connection.within(deadline,
                    "create container " + spec.containerId(),
                    connection::hello);
            long pid = awaitCreated(connection, deadline);
            return shim(spec.directory(), welcome.shimPid(), pid, connection, deadline);
        } catch (ShimException e) {
            endAfterFailure(spec.directory(), e.kind() != ShimException.Kind.OCI);
            throw e;
        }
    }

    private List<String> containerCommand(ShimSpec spec) {
        List<String> command = new ArrayList<>(
                List.of(shimBinary.toString(), "container", "--dir", spec.directory().toString(),
                        "--id", spec.containerId(), "--bundle", spec.bundle().toString()));
        Path log = spec.logPath();
        if (log != null) {
            command.addAll(List.of("--log", log.toString()));
        }
        addIf(command, spec.terminal(), "--terminal");
        addIf(command, spec.stdin(), "--stdin");
        addIf(command, spec.stdinOnce(), "--stdin-once");
        addIf(command, spec.restore(), "--restore");
        addEach(command, "--cgroup", cgroupProcs);
        addEach(command, "--create-arg", spec.createArguments());
        command.add("--");
        command.addAll(spec.runtime());
        return command;
    }

    private static void addIf(List<String> command, boolean condition, String flag) {
        if (condition) {
            command.add(flag);
        }
    }

    private static void addEach(List<String> command, String option, List<?> values) {
        for (Object value : values) {
            command.add(option);
            command.add(value.toString());
        }
    }

    private static long awaitCreated(ShimConnection connection, Deadline deadline) throws ShimException {
        return connection.within(deadline, "create",
                () -> (long) connection.call(Wire.AWAIT_CREATED, new byte[0], Wire.OK).getInt());
    }

    /** A shim that reported its runtime's failure ends by itself; any other is killed, and with it what its runtime left. */
    private static void endAfterFailure(Path directory, boolean kill) {
        try (PidFd shim = process(directory.resolve(SHIM_PID_FILE))) {
            if (shim != null && (kill || !shim.awaitExit(AFTER_FAILURE))) {
                ProcessTable.killTree(shim);
            }
        } catch (IOException e) {
            throw new IllegalStateException("end the shim in " + directory, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static @Nullable PidFd process(Path pidFile) throws IOException {
        Optional<Long> pid = readPid(pidFile);
        return pid.isPresent() ? NativeShim.process(pid.get()) : null;
    }

    @Override
    public Optional<Shim> attach(Path directory, Duration time) {
        Deadline deadline = Deadline.after(time);
        try {
            ShimConnection connection = ShimConnection.open(directory);
            try {
                return Optional.of(attach(directory, connection, deadline));
            } catch (ShimException e) {
                connection.close();
                throw e;
            }
        } catch (ShimException e) {
            return e.kind() == ShimException.Kind.TIMEOUT ? frozen(directory) : Optional.empty();
        }
    }

    /**
     * Opens the processes that the shim has written down, and asks it then: only while it has not reaped the container is its
     * pid the container's. One question and one connection, because a daemon that starts has hundreds of shims to find.
     */
    private static Shim attach(Path directory, ShimConnection connection, Deadline deadline)
            throws ShimException {
        @Nullable
        PidFd shim = null;
        @Nullable
        PidFd container = null;
        try {
            shim = process(directory.resolve(SHIM_PID_FILE));
            container = process(directory.resolve(CONTAINER_PID_FILE));
            ShimConnection.Welcome welcome = connection.within(deadline, "find the shim", connection::hello);
            if (shim != null && container != null && shim.pid() == welcome.shimPid()
                    && container.pid() == welcome.containerPid() && ExitFile.hasProcess(welcome.state())) {
                Shim found = new NativeShim(directory, shim, welcome.containerPid(), container, connection);
                shim = null;
                container = null;
                return found;
            }
            return attachSlowly(directory, welcome, connection, deadline);
        } catch (ShimException e) {
            throw e;
        } catch (IOException e) {
            throw new ShimException(ShimException.Kind.FAILED, "find the shim in " + directory, e);
        } finally {
            closeIfOpen(shim);
            closeIfOpen(container);
        }
    }

    /** A container that is still being created, or has ended. */
    private static Shim attachSlowly(Path directory, ShimConnection.Welcome welcome,
            ShimConnection connection, Deadline deadline) throws ShimException {
        long pid = ExitFile.hasProcess(welcome.state()) || welcome.state() == Wire.STATE_EXITED
                ? welcome.containerPid()
                : awaitCreated(connection, deadline);
        Shim shim = shim(directory, welcome.shimPid(), pid, connection, deadline);
        connection.close();
        return shim;
    }

    /** A shim that listens and does not answer is still the one that will know how its container ends. */
    private static Optional<Shim> frozen(Path directory) {
        try {
            Optional<Long> shimPid = readPid(directory.resolve(SHIM_PID_FILE));
            Optional<Long> containerPid = readPid(directory.resolve(CONTAINER_PID_FILE));
            if (shimPid.isEmpty() || containerPid.isEmpty()) {
                return Optional.empty();
            }
            PidFd shim = NativeShim.process(shimPid.get());
            if (shim == null) {
                return Optional.empty();
            }
            PidFd container = NativeShim.process(containerPid.get());
            if (container != null && !ProcessTable.isChild(container.pid(), shim.pid())) {
                // The container has ended, and its number is another process's.
                container.close();
                container = null;
            }
            return Optional.of(new NativeShim(directory, shim, containerPid.get(), container));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Opens both processes; asks the shim once more, because only while it has not reaped the container is its pid the container's. */
    private static Shim shim(Path directory, long shimPid, long containerPid, ShimConnection connection,
            Deadline deadline)
            throws ShimException {
        PidFd shim = NativeShim.process(shimPid);
        if (shim == null) {
            throw new ShimException(ShimException.Kind.GONE, "the shim in " + directory + " has ended");
        }
        PidFd container = NativeShim.process(containerPid);
        int state;
        try {
            state = connection.within(deadline, "find the shim", connection::hello).state();
        } catch (ShimException e) {
            shim.close();
            closeIfOpen(container);
            throw e;
        }
        if (!ExitFile.hasProcess(state)) {
            closeIfOpen(container);
            container = null;
        }
        return new NativeShim(directory, shim, containerPid, container);
    }

    private static void closeIfOpen(@Nullable PidFd process) {
        if (process != null) {
            process.close();
        }
    }

    @Override
    public Optional<ExitRecord> readExit(Path directory) {
        return ExitFile.read(directory);
    }

    @Override
    public void end(Path directory, String containerId) throws ShimException {
        // <state>/containers/<id>: what Berth starts for a container names both, and nobody else's process does.
        String state = directory.resolve("../..").toAbsolutePath().normalize().toString();
        try {
            for (long pid : ProcessTable.withArguments(arguments -> arguments.contains(containerId)
                    && arguments.stream().anyMatch(argument -> argument.startsWith(state)))) {
                try (PidFd process = NativeShim.process(pid)) {
                    if (process != null) {
                        ProcessTable.killTree(process);
                    }
                }
            }
        } catch (IOException e) {
            throw new ShimException(ShimException.Kind.FAILED,
                    "end the shim of container " + containerId + ": " + e.getMessage(), e);
        }
    }

    @Override
    public long startPause(PauseSpec spec, Duration time) throws ShimException {
        Path pidFile = spec.directory().resolve(PAUSE_PID_FILE);
        List<String> command = new ArrayList<>(
                List.of(shimBinary.toString(), "pause", "--pid-file", pidFile.toString()));
        addEach(command, "--cgroup", spec.cgroupProcs());
        addEach(command, "--join", spec.joinNamespaces());
        run(command, Deadline.after(time));
        try {
            return readPid(pidFile)
                    .orElseThrow(() -> new ShimException(ShimException.Kind.FAILED, pidFile + " has no pid"));
        } catch (ShimException e) {
            throw e;
        } catch (IOException e) {
            throw new ShimException(ShimException.Kind.FAILED, "read " + pidFile + ": " + e.getMessage(), e);
        }
    }

    private static Optional<Long> readPid(Path file) throws IOException {
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        String text = Files.readString(file).strip();
        return text.matches("[1-9][0-9]{0,9}") ? Optional.of(Long.parseLong(text)) : Optional.empty();
    }

    /** Runs a command that detaches itself and ends at once. */
    private void run(List<String> command, Deadline deadline) throws ShimException {
        ChildProcess.Outcome outcome;
        try {
            outcome = new ChildProcess(command, ENVIRONMENT).run(new byte[0], 0, deadline.remaining());
        } catch (IOException e) {
            throw new ShimException(ShimException.Kind.FAILED, "start " + shimBinary + ": " + e.getMessage(),
                    e);
        }
        if (outcome.timedOut()) {
            throw new ShimException(ShimException.Kind.TIMEOUT, shimBinary + " did not start in time");
        }
        if (outcome.exitCode() != 0) {
            throw new ShimException(ShimException.Kind.FAILED, shimBinary + " ended with code "
                    + outcome.exitCode() + ": " + outcome.errorTail().strip());
        }
    }

    /** What the daemon's own service manager has put there is not for a container's runtime: NOTIFY_SOCKET would make it wait. */
    private static Map<String, String> environment(Map<String, String> own) {
        Map<String, String> environment = new HashMap<>(own);
        environment.keySet().retainAll(List.of("PATH", "DBUS_SYSTEM_BUS_ADDRESS", "XDG_RUNTIME_DIR"));
        environment.putIfAbsent("PATH", DEFAULT_PATH);
        return Map.copyOf(environment);
    }
}
