package io.berth.runtime.pod;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.CreateContainerRequest;
import io.berth.cri.v1.RestorePodRequest;
import io.berth.cri.v1.RestorePodResponse;
import io.berth.cri.v1.RestoredContainer;
import io.berth.cri.v1.RunPodSandboxRequest;
import io.berth.runtime.container.ContainerLifecycle;
import io.berth.runtime.container.Containers;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.sandbox.SandboxLifecycle;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * CRI {@code RestorePod}: a new sandbox of the request's configuration, and its containers from the archives of a {@link
 * PodDirectory}. None of them runs before {@code StartContainer}.
 */
final class RestorePod {
    private static final Logger log = LoggerFactory.getLogger(RestorePod.class);

    private final SandboxLifecycle sandboxes;
    private final Containers known;
    private final ContainerLifecycle containers;

    RestorePod(SandboxLifecycle sandboxes, Containers known, ContainerLifecycle containers) {
        this.sandboxes = sandboxes;
        this.known = known;
        this.containers = containers;
    }

    RestorePodResponse restore(RestorePodRequest request) throws Exception {
        PodCheckpoints.refuseOptions(request.getOptionsMap());
        PodDirectory checkpoint = PodDirectory.existing(request.getCheckpointPath());
        checkNames(checkpoint.containers(), request.getContainerConfigsList());
        Sandbox sandbox = sandboxes.run(RunPodSandboxRequest.newBuilder().setConfig(request.getConfig())
                .setRuntimeHandler(request.getRuntimeHandler()).build());
        // A retry after a lost answer finds the sandbox with its containers; then it is not this call's to take away.
        boolean ours = known.ofSandbox(sandbox.id()).isEmpty();
        try {
            RestorePodResponse response = makeContainers(request, checkpoint, sandbox);
            log.atInfo().addKeyValue("sandbox", sandbox.id()).addKeyValue("checkpoint", checkpoint.path())
                    .log("pod is ready to be restored");
            return response;
        } catch (Exception | Error e) {
            if (ours) {
                remove(sandbox, e);
            }
            throw e;
        }
    }

    private static void checkNames(Set<String> checkpointed, List<ContainerConfig> configs)
            throws LifecycleException {
        Set<String> wanted = new TreeSet<>();
        for (ContainerConfig config : configs) {
            String name = config.getMetadata().getName();
            if (name.isEmpty() || !wanted.add(name)) {
                throw invalid(name.isEmpty()
                        ? "container_configs: metadata.name is empty"
                        : "container_configs names \"" + name + "\" twice");
            }
        }
        if (!wanted.equals(checkpointed)) {
            throw invalid("container_configs names the containers " + wanted + ", the checkpoint has "
                    + checkpointed);
        }
    }

    private RestorePodResponse makeContainers(RestorePodRequest request, PodDirectory checkpoint,
            Sandbox sandbox) throws Exception {
        RestorePodResponse.Builder response = RestorePodResponse.newBuilder().setPodSandboxId(sandbox.id());
        for (ContainerConfig config : request.getContainerConfigsList()) {
            String name = config.getMetadata().getName();
            CreateContainerRequest create = CreateContainerRequest.newBuilder()
                    .setPodSandboxId(sandbox.id()).setConfig(config).setSandboxConfig(request.getConfig())
                    .build();
            response.addRestoredContainers(RestoredContainer.newBuilder().setName(name)
                    .setContainerId(containers.createFrom(checkpoint.archive(name), create).id()));
        }
        return response.build();
    }

    private void remove(Sandbox sandbox, Throwable failure) {
        try {
            sandboxes.stop(sandbox.id());
            sandboxes.remove(sandbox.id());
        } catch (Exception e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            failure.addSuppressed(e);
            log.atError().addKeyValue("sandbox", sandbox.id()).setCause(e)
                    .log("could not remove the sandbox of a pod whose restore has failed");
        }
    }

    private static LifecycleException invalid(String text) {
        return new LifecycleException(LifecycleException.Kind.INVALID, text);
    }
}
