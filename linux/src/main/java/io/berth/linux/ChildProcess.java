package io.berth.linux;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * A short-lived helper program: input in, output and exit status out, and its whole process group ended at a deadline.
 *
 * <p>
 * {@link ProcessBuilder} starts a second program first ({@code jspawnhelper}, about 2 ms) and leads no process group, so that what
 * the program has started outlives its kill. This one is {@code posix_spawn(3)} with a group, default signals, no inherited
 * descriptors, and one thread for both pipes.
 *
 * @param command the program's absolute path and its arguments
 * @param environment all of it: nothing is inherited
 */
public record ChildProcess(List<String> command, Map<String, String> environment) {
    public ChildProcess {
        if (command.isEmpty()) {
            throw new IllegalArgumentException("no command");
        }
        command = List.copyOf(command);
        environment = Map.copyOf(environment);
    }

    /**
     * How it ended.
     *
     * @param exitCode what it exited with, or 128 plus the signal that ended it
     * @param timedOut whether it was killed at the deadline
     * @param output the start of standard output, up to the limit, as UTF-8
     * @param outputTruncated whether there was more
     * @param errorTail the end of standard error, at most 4 KiB, as UTF-8
     */
    public record Outcome(int exitCode, boolean timedOut, String output, boolean outputTruncated,
            String errorTail) {}

    /**
     * Runs it to its end. What it leaves running behind it in peace keeps running; at the deadline its process group is killed.
     *
     * @param input for its standard input
     * @param outputLimit bytes of output to keep; the rest is read and dropped
     * @throws LinuxException where it cannot be started: ENOENT, EACCES, ENOEXEC
     */
    public Outcome run(byte[] input, int outputLimit, Duration deadline) throws IOException {
        long end = System.nanoTime() + deadline.toNanos();
        // The wait is native and would hold a virtual thread's carrier.
        return Namespaces.onPlatformThread("child-process", () -> {
            try (Pipes pipes = Pipes.open(input, outputLimit)) {
                int pid = PosixSpawn.start(command, environment, pipes);
                boolean finished = false;
                boolean reaped = false;
                try (PidFd pidFd = PidFd.open(pid)) {
                    finished = pipes.drain(pidFd, end);
                    if (!finished) {
                        PosixSpawn.killGroup(pid);
                    }
                    int exitCode = PosixSpawn.reap(pid);
                    reaped = true;
                    return new Outcome(exitCode, !finished, pipes.output(), pipes.outputTruncated(),
                            pipes.errorTail());
                } finally {
                    if (!reaped) {
                        PosixSpawn.killGroup(pid);
                        PosixSpawn.reap(pid);
                    }
                }
            }
        });
    }
}
