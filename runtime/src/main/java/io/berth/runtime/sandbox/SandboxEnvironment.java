package io.berth.runtime.sandbox;

import io.berth.cri.v1.PodSandboxConfig;
import io.berth.linux.NetworkInterfaces;
import io.berth.runtime.lifecycle.LifecycleException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The kernel objects and files of a sandbox that has no process: pinned namespaces (net, ipc, uts), {@code /dev/shm},
 * {@code hostname}, {@code hosts}, {@code resolv.conf}, sysctls.
 */
public interface SandboxEnvironment {
    /**
     * Makes everything that {@code config} asks for below {@code directory} (state filesystem) and brings {@code lo} up. On
     * failure nothing is left.
     *
     * @param selinux the context of these files; empty for none
     * @throws LifecycleException INVALID naming the field that cannot be obeyed, PRECONDITION where the node lacks something
     */
    Made create(String sandboxId, Path directory, PodSandboxConfig config, Optional<String> selinux)
            throws IOException, LifecycleException;

    /** The {@code network} file of {@link Made#namespaces}, whether it is there or not. */
    Path networkNamespace(Path directory);

    /**
     * To be called after CNI ADD: sets the sysctls of interfaces that did not exist before
     * ({@code net.ipv4.conf.eth0.forwarding}). Does nothing where the request has none.
     *
     * @throws LifecycleException INVALID naming the sysctl that the kernel does not have or whose value it refuses
     */
    void networkAttached(Path directory, PodSandboxConfig config) throws IOException, LifecycleException;

    /** Unmounts and deletes {@code directory} and everything below; what is gone is success. */
    void destroy(Path directory) throws IOException;

    /** Whether the pins below {@code directory} are still mounted (they are not after a reboot). */
    boolean intact(Path directory, PodSandboxConfig config);

    /**
     * What each interface of a pinned network namespace has carried; asks no process.
     *
     * @param netns as {@link #networkNamespace} says
     */
    List<NetworkInterfaces.Statistics> interfaces(Path netns) throws IOException;

    /**
     * @param namespaces pinned namespace files by OCI type ({@code network}, {@code ipc}, {@code uts}, {@code user}); the host's
     *        own are absent. A pod on the host's network has the host's UTS namespace, too.
     * @param files {@code hostname}, {@code hosts}, {@code resolv.conf}, {@code shm} by name
     */
    record Made(Map<String, Path> namespaces, Map<String, Path> files) {}
}
