package io.berth.runtime.sandbox;

import io.berth.cri.v1.PodSandboxConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/**
 * The kernel objects and files of a sandbox that has no process: pinned namespaces (net, ipc, uts), {@code /dev/shm},
 * {@code hostname}, {@code hosts}, {@code resolv.conf}, sysctls.
 */
public interface SandboxEnvironment {
    /**
     * Makes everything that {@code config} asks for below {@code directory} (state filesystem) and brings {@code lo} up. On
     * failure nothing is left.
     */
    Made create(String sandboxId, Path directory, PodSandboxConfig config) throws IOException;

    /** Unmounts and deletes everything below {@code directory}; what is gone is success. */
    void destroy(Path directory) throws IOException;

    /** Whether the pins below {@code directory} are still mounted (they are not after a reboot). */
    boolean intact(Path directory, PodSandboxConfig config);

    /**
     * @param namespaces pinned namespace files by OCI type ({@code network}, {@code ipc}, {@code uts})
     * @param files {@code hostname}, {@code hosts}, {@code resolv.conf}, {@code shm} by name
     */
    record Made(Map<String, Path> namespaces, Map<String, Path> files) {}
}
