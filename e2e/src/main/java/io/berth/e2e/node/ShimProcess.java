package io.berth.e2e.node;

import io.berth.e2e.cri.Await;
import java.time.Duration;
import java.util.List;

/** The supervisor of one container, as a process of the node. */
public record ShimProcess(ProcessHandle process) {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    /** The one of the container {@code id}. */
    public static ShimProcess of(String id) {
        return new ShimProcess(ProcessHandle.allProcesses().filter(process -> {
            String line = process.info().commandLine().orElse("");
            return line.contains("berth-shim") && line.contains("--id " + id);
        }).findFirst().orElseThrow(() -> new AssertionError("no berth-shim of container " + id)));
    }

    /** SIGKILL; returns when it has ended. */
    public void kill() {
        process.destroyForcibly();
        Await.until("the shim has ended", LIMIT, process::isAlive, alive -> !alive);
    }

    /** SIGSTOP, until {@link #resume}. */
    public void freeze() {
        signal("-STOP");
    }

    public void resume() {
        signal("-CONT");
    }

    private void signal(String signal) {
        Command.Result result = Command.run(List.of("kill", signal, Long.toString(process.pid())));
        if (result.exitCode() != 0) {
            throw new AssertionError("kill " + signal + ": " + result.output());
        }
    }
}
