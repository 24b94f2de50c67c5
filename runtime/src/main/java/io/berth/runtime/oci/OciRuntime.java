package io.berth.runtime.oci;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** One configured OCI runtime's command line, for what needs no shim. Every call has a deadline and kills its process at it. */
public interface OciRuntime {
    /** The handler's name in the configuration. */
    String name();

    /** The command with its global arguments, for a shim: executable, {@code --root}, {@code --systemd-cgroup} where used. */
    List<String> command();

    /** The {@code ociVersion} that this runtime accepts, found once by {@code features} or {@code --version}. */
    String ociVersion();

    /** {@code --version}'s first line. */
    String version();

    /** What it can do on this kernel, found once. */
    HandlerFeatures features();

    /** {@code delete --force}; absent is success. */
    void delete(String containerId, Duration deadline) throws OciException;

    /** {@code kill --all}-like: ends every process of the container; absent is success. */
    void killAll(String containerId, int signal, Duration deadline) throws OciException;

    /** {@code update} with an OCI {@code linux.resources} object. */
    void update(String containerId, byte[] resourcesJson, Duration deadline) throws OciException;

    /**
     * Makes sure that containers can be checkpointed and restored at all.
     *
     * @throws OciException UNSUPPORTED with the reason where this runtime is built without criu, or the node's criu is
     *         absent or does not work
     */
    void requireCriu(Duration deadline) throws OciException;

    /** {@code pause}: no process of the container runs until {@link #resume}. */
    void pause(String containerId, Duration deadline) throws OciException;

    /** {@code resume}; one that is not paused, or absent, is success. */
    void resume(String containerId, Duration deadline) throws OciException;

    /**
     * {@code checkpoint --leave-running}: has criu write the processes' state. What else criu is to do (such as
     * {@code tcp-established}) is read by runc from {@code /etc/criu/runc.conf}, or the file that the container's annotation
     * {@code org.criu.config} names.
     *
     * @param images a directory for criu's images, made if absent
     * @param work a directory for its {@code dump.log} and {@code stats-dump}
     */
    void checkpoint(String containerId, Path images, Path work, Duration deadline) throws OciException;

    /** Ids of the containers that the runtime knows, for cleaning at start. */
    List<String> list(Duration deadline) throws OciException;

    /** Where the runtime keeps its state. */
    Path stateRoot();
}
