package io.berth.e2e.cri;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.CreateContainerRequest;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxStatus;
import io.berth.cri.v1.PodSandboxStatusRequest;
import io.berth.cri.v1.RemovePodSandboxRequest;
import io.berth.cri.v1.RunPodSandboxRequest;
import io.berth.cri.v1.StopPodSandboxRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A pod that runs; closed, it is stopped and removed. */
public final class PodHandle implements AutoCloseable {
    private final Cri cri;
    private final String id;
    private final PodSandboxConfig config;

    private PodHandle(Cri cri, String id, PodSandboxConfig config) {
        this.cri = cri;
        this.id = id;
        this.config = config;
    }

    /** Runs a sandbox under {@code handler}; makes its log directory first, as kubelet does. */
    public static PodHandle run(Cri cri, PodSandboxConfig.Builder config, String handler) {
        PodSandboxConfig pod = config.build();
        try {
            if (!pod.getLogDirectory().isEmpty()) {
                Files.createDirectories(Path.of(pod.getLogDirectory()));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        String id = cri.runtime().runPodSandbox(RunPodSandboxRequest.newBuilder()
                .setConfig(pod).setRuntimeHandler(handler).build()).getPodSandboxId();
        return new PodHandle(cri, id, pod);
    }

    /** A pod that somebody else has made. */
    public static PodHandle of(Cri cri, String id, PodSandboxConfig config) {
        return new PodHandle(cri, id, config);
    }

    /** A container of the pod that somebody else has made, with the {@code log_path} of its request. */
    public ContainerHandle container(String containerId, String logPath) {
        return new ContainerHandle(cri, containerId, Path.of(config.getLogDirectory(), logPath));
    }

    public String id() {
        return id;
    }

    /** The request it was made of. */
    public PodSandboxConfig config() {
        return config;
    }

    public PodSandboxStatus status() {
        return cri.runtime().podSandboxStatus(
                PodSandboxStatusRequest.newBuilder().setPodSandboxId(id).build()).getStatus();
    }

    /** Its first address. */
    public String ip() {
        return status().getNetwork().getIp();
    }

    /** Creates a container, and does not start it. */
    public ContainerHandle create(ContainerConfig.Builder container) {
        // As kubelet does: the network is the pod's.
        container.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder()
                .setNetwork(config.getLinux().getSecurityContext().getNamespaceOptions().getNetwork());
        ContainerConfig made = container.build();
        String containerId = cri.runtime().createContainer(CreateContainerRequest.newBuilder()
                .setPodSandboxId(id).setConfig(made).setSandboxConfig(config).build()).getContainerId();
        return new ContainerHandle(cri, containerId, Path.of(config.getLogDirectory(), made.getLogPath()));
    }

    /** Creates and starts a container. */
    public ContainerHandle start(ContainerConfig.Builder container) {
        return create(container).start();
    }

    /** Stops the pod and all that runs in it. */
    public void stop() {
        cri.runtime().stopPodSandbox(StopPodSandboxRequest.newBuilder().setPodSandboxId(id).build());
    }

    /** Removes the pod with its containers. */
    public void remove() {
        cri.runtime().removePodSandbox(RemovePodSandboxRequest.newBuilder().setPodSandboxId(id).build());
    }

    @Override
    public void close() {
        stop();
        remove();
    }
}
