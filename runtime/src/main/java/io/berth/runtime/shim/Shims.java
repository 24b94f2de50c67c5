package io.berth.runtime.shim;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * Starts shims and finds them again. Every call has a deadline; a shim that does not answer costs its caller that deadline
 * and nobody else anything.
 */
public interface Shims {
    /**
     * Starts a shim for one container: it runs {@code <oci runtime> create} and holds the container's stdio. Returns when
     * create has succeeded.
     *
     * @throws ShimException with the OCI runtime's own error text where create failed; then no process is left
     */
    Shim create(ShimSpec spec, Duration deadline) throws ShimException;

    /** The shim whose directory this is, after a daemon restart; empty where none listens any more. */
    Optional<Shim> attach(Path directory, Duration deadline);

    /** The exit record that a shim left in its directory; empty while the container has not ended. */
    Optional<ExitRecord> readExit(Path directory);

    /**
     * Ends the shim of a container, whatever it is doing, and every process that it or an OCI runtime has started for it,
     * without asking any of them. None is success.
     */
    void end(Path directory, String containerId) throws ShimException;

    /** Starts {@code berth-shim pause}: PID 1 of a pod-shared PID namespace. Returns its host pid. */
    long startPause(PauseSpec spec, Duration deadline) throws ShimException;
}
