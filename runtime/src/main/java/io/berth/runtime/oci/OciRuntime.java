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

    /** Ids of the containers that the runtime knows, for cleaning at start. */
    List<String> list(Duration deadline) throws OciException;

    /** Where the runtime keeps its state. */
    Path stateRoot();
}
