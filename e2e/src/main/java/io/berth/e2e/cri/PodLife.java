package io.berth.e2e.cri;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.CreateContainerRequest;
import io.berth.cri.v1.ExecSyncRequest;
import io.berth.cri.v1.ExecSyncResponse;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.RemoveContainerRequest;
import io.berth.cri.v1.RemovePodSandboxRequest;
import io.berth.cri.v1.RunPodSandboxRequest;
import io.berth.cri.v1.RuntimeServiceGrpc.RuntimeServiceBlockingStub;
import io.berth.cri.v1.StartContainerRequest;
import io.berth.cri.v1.StopContainerRequest;
import io.berth.cri.v1.StopPodSandboxRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;

/**
 * The whole life of one pod, as a patient kubelet leads it: a call whose server goes away, or whose time is over, is made
 * again with the same request until it is answered. Any other error is a failure.
 */
public final class PodLife {
    private static final Duration PAUSE = Duration.ofMillis(20);
    private static final Set<Status.Code> GAVE_UP = Set.of(Status.Code.UNAVAILABLE, Status.Code.CANCELLED,
            Status.Code.DEADLINE_EXCEEDED);

    private final Cri cri;
    private final PodSandboxConfig pod;
    private final ContainerConfig container;
    private final String handler;
    private final Duration patience;
    private final Duration limit;

    /**
     * @param container a container that runs until it is stopped
     * @param patience how long a call waits before it gives up and is made again, for twice as long
     * @param limit how long a call may take with all its repetitions
     */
    public PodLife(Cri cri, PodSandboxConfig pod, ContainerConfig container, String handler,
            Duration patience,
            Duration limit) {
        this.cri = cri;
        this.pod = pod;
        this.container = container;
        this.handler = handler;
        this.patience = patience;
        this.limit = limit;
    }

    /** Runs the pod, its container and a command in it, stops and removes all of it. */
    public void lead() {
        try {
            Files.createDirectories(Path.of(pod.getLogDirectory()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        String podId = run();
        String containerId = create(podId);
        start(containerId);
        ExecSyncResponse answer = again("ExecSync", stub -> stub.execSync(ExecSyncRequest.newBuilder()
                .setContainerId(containerId).addAllCmd(List.of("echo", "here")).build()));
        if (answer.getExitCode() != 0 || !answer.getStdout().toStringUtf8().equals("here\n")) {
            throw new AssertionError("exec in " + containerId + " answered " + answer);
        }
        stop(containerId);
        again("RemoveContainer", stub -> stub
                .removeContainer(RemoveContainerRequest.newBuilder().setContainerId(containerId).build()));
        end(podId);
    }

    /** RunPodSandbox; the sandbox's id. */
    public String run() {
        return again("RunPodSandbox", stub -> stub.runPodSandbox(
                RunPodSandboxRequest.newBuilder().setConfig(pod).setRuntimeHandler(handler).build()))
                .getPodSandboxId();
    }

    /** CreateContainer; the container's id. */
    public String create(String podId) {
        return again("CreateContainer", stub -> stub.createContainer(CreateContainerRequest.newBuilder()
                .setPodSandboxId(podId).setConfig(container).setSandboxConfig(pod).build()))
                .getContainerId();
    }

    /** StartContainer. */
    public void start(String containerId) {
        again("StartContainer", stub -> stub
                .startContainer(StartContainerRequest.newBuilder().setContainerId(containerId).build()));
    }

    /** StopContainer, at once. */
    public void stop(String containerId) {
        again("StopContainer", stub -> stub
                .stopContainer(StopContainerRequest.newBuilder().setContainerId(containerId).build()));
    }

    /** StopPodSandbox and RemovePodSandbox. */
    public void end(String podId) {
        again("StopPodSandbox", stub -> stub
                .stopPodSandbox(StopPodSandboxRequest.newBuilder().setPodSandboxId(podId).build()));
        again("RemovePodSandbox", stub -> stub
                .removePodSandbox(RemovePodSandboxRequest.newBuilder().setPodSandboxId(podId).build()));
    }

    private <T> T again(String rpc, Function<RuntimeServiceBlockingStub, T> call) {
        long end = System.nanoTime() + limit.toNanos();
        for (Duration wait = patience;; wait = wait.multipliedBy(2)) {
            try {
                return call.apply(cri.runtime(wait).withWaitForReady());
            } catch (StatusRuntimeException e) {
                if (!GAVE_UP.contains(e.getStatus().getCode())) {
                    throw new AssertionError(rpc + " of pod " + pod.getMetadata().getName() + " failed: "
                            + e.getStatus(), e);
                }
                if (System.nanoTime() > end) {
                    throw new AssertionError(rpc + " of pod " + pod.getMetadata().getName()
                            + " has no answer after " + limit + ": " + e.getStatus(), e);
                }
            }
            LockSupport.parkNanos(PAUSE.toNanos());
        }
    }
}
