package io.berth.runtime.container;

import com.google.protobuf.ByteString;
import io.berth.cri.v1.ExecSyncResponse;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.shim.ExecSession;
import io.berth.runtime.shim.ShimException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CRI {@code ExecSync}: runs a command to its end and gives what it wrote. */
final class ExecSync {
    private static final Logger log = LoggerFactory.getLogger(ExecSync.class);
    /** How long output may still come after the command was killed. */
    private static final Duration DRAIN_LIMIT = Duration.ofSeconds(2);

    private final ContainerStdio stdio;
    private final BerthConfig config;

    ExecSync(ContainerStdio stdio, BerthConfig config) {
        this.stdio = stdio;
        this.config = config;
    }

    /**
     * Runs {@code command}. Output beyond the configured limit is read and dropped.
     *
     * @param timeout how long it may run; zero for as long as its caller waits
     * @param callerGone completes when nobody waits for the answer any more; the command is killed then
     * @throws LifecycleException TIMEOUT where the command was killed at {@code timeout}
     */
    ExecSyncResponse run(String idOrPrefix, List<String> command, Duration timeout,
            CompletableFuture<?> callerGone) throws Exception {
        Container container = stdio.requireRunning(idOrPrefix);
        Duration startLimit = min(config.timeouts().oci(), timeout);
        long beganNanos = System.nanoTime();
        try (ExecSession session = stdio.exec(container, command, false, false, startLimit)) {
            Output output = new Output(config.limits().maxExecSyncOutputBytes());
            Duration left = timeout.isZero()
                    ? Duration.ZERO
                    : timeout.minusNanos(System.nanoTime() - beganNanos);
            int exitCode = await(container, command, session, output, timeout, left, callerGone);
            return ExecSyncResponse.newBuilder().setExitCode(exitCode).setStdout(output.stdout.toByteString())
                    .setStderr(output.stderr.toByteString()).build();
        } catch (ShimException e) {
            if (e.kind() == ShimException.Kind.TIMEOUT && !timeout.isZero()) {
                throw timedOut(container, command, timeout);
            }
            throw e;
        }
    }

    private static int await(Container container, List<String> command, ExecSession session, Output output,
            Duration timeout, Duration left, CompletableFuture<?> callerGone) throws Exception {
        FutureTask<Integer> pump = new FutureTask<>(() -> session.run(output));
        Thread.startVirtualThread(pump);
        AtomicReference<String> killedBecause = new AtomicReference<>("");
        // Output is read on after the kill, up to a limit: a child that left the session may hold the pipe open.
        CompletableFuture<Void> gone = callerGone.handle((done, failure) -> {
            killedBecause.compareAndSet("", "caller");
            kill(session);
            return null;
        });
        try {
            return timeout.isZero()
                    ? pump.get()
                    : pump.get(Math.max(1, left.toMillis()), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            kill(session);
            drain(pump);
            throw timedOut(container, command, timeout);
        } catch (ExecutionException e) {
            if ("caller".equals(killedBecause.get())) {
                throw new LifecycleException(LifecycleException.Kind.CANCELLED,
                        "the caller of exec in container "
                                + container.id() + " gave up; the command was killed",
                        e);
            }
            throw e.getCause() instanceof Exception cause ? cause : e;
        } finally {
            gone.cancel(false);
        }
    }

    private static void drain(FutureTask<Integer> pump) throws InterruptedException {
        try {
            pump.get(DRAIN_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException | ExecutionException e) {
            // Closing the session, which comes next, ends the pump.
            log.atDebug().setCause(e).log("output of a killed exec does not end");
        }
    }

    private static void kill(ExecSession session) {
        try {
            session.kill(StopSignals.SIGKILL);
        } catch (IOException e) {
            // Closing the session kills what still runs.
            session.close();
        }
    }

    private static LifecycleException timedOut(Container container, List<String> command, Duration timeout) {
        return new LifecycleException(LifecycleException.Kind.TIMEOUT, "exec of \"" + command.getFirst()
                + "\" in container " + container.id() + " ran longer than its timeout of "
                + timeout.toSeconds()
                + " s and was killed");
    }

    private static Duration min(Duration limit, Duration timeout) {
        return timeout.isZero() || limit.compareTo(timeout) < 0 ? limit : timeout;
    }

    /** Keeps up to a limit of each stream. */
    private static final class Output implements ExecSession.Output {
        private final ByteString.Output stdout = ByteString.newOutput();
        private final ByteString.Output stderr = ByteString.newOutput();
        private final long limit;

        Output(long limit) {
            this.limit = limit;
        }

        @Override
        public void stdout(ByteBuffer data) {
            keep(stdout, data);
        }

        @Override
        public void stderr(ByteBuffer data) {
            keep(stderr, data);
        }

        private void keep(ByteString.Output to, ByteBuffer data) {
            int count = (int) Math.min(data.remaining(), limit - to.size());
            if (count > 0) {
                byte[] bytes = new byte[count];
                data.get(bytes);
                to.write(bytes, 0, count);
            }
        }
    }
}
