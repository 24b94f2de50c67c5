package io.berth.runtime.sandbox;

import io.berth.runtime.state.SandboxRecord.Pause;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** PID 1 of a pod-shared PID namespace, told from a later process with its pid by its start time. */
final class PauseProcess {
    private static final long END_LIMIT_SECONDS = 10;

    private PauseProcess() {}

    /** The identity of the live process {@code pid}. */
    static Pause identify(long pid) throws IOException {
        return new Pause(pid, startTicks(pid)
                .orElseThrow(
                        () -> new IOException("the pause process " + pid + " ended as soon as it began")));
    }

    static boolean alive(Pause pause) throws IOException {
        OptionalLong ticks = startTicks(pause.pid());
        return ticks.isPresent() && ticks.getAsLong() == pause.startTicks();
    }

    /** Ends it, and with it, as PID 1, every process of the namespace. Not there is success. */
    static void end(Pause pause) throws IOException, InterruptedException {
        if (!alive(pause)) {
            return;
        }
        ProcessHandle process = ProcessHandle.of(pause.pid()).orElse(null);
        if (process == null) {
            return;
        }
        process.destroyForcibly();
        try {
            process.onExit().get(END_LIMIT_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException | ExecutionException e) {
            throw new IOException("the pause process " + pause.pid() + " is still there " + END_LIMIT_SECONDS
                    + " s after SIGKILL: a process of the pod may be in uninterruptible sleep", e);
        }
    }

    /** The PID namespace that it holds. */
    static Path namespace(Pause pause) {
        return Path.of("/proc", Long.toString(pause.pid()), "ns", "pid");
    }

    /** Field 22 of {@code /proc/<pid>/stat}; empty where the process is gone or a zombie. */
    private static OptionalLong startTicks(long pid) throws IOException {
        String stat;
        try {
            stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
        } catch (NoSuchFileException e) {
            return OptionalLong.empty();
        }
        // The command, field 2, may hold spaces and parentheses; what follows its last parenthesis does not.
        List<String> fields = List.of(stat.substring(stat.lastIndexOf(')') + 2).split(" "));
        return "Z".equals(fields.get(0))
                ? OptionalLong.empty()
                : OptionalLong.of(Long.parseLong(fields.get(19)));
    }
}
