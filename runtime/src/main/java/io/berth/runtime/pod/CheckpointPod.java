package io.berth.runtime.pod;

import io.berth.cri.v1.CheckpointPodRequest;
import io.berth.runtime.container.Container;
import io.berth.runtime.container.ContainerCheckpoint;
import io.berth.runtime.container.ContainerLifecycle;
import io.berth.runtime.container.Containers;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.TimeLimit;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.sandbox.Sandboxes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * CRI {@code CheckpointPod}: all containers are paused before the first is captured, and none goes on before the last is,
 * so that the archives show one moment of the pod.
 */
final class CheckpointPod {
    private static final Logger log = LoggerFactory.getLogger(CheckpointPod.class);

    private final Sandboxes sandboxes;
    private final Containers containers;
    private final ContainerLifecycle lifecycle;

    CheckpointPod(Sandboxes sandboxes, Containers containers, ContainerLifecycle lifecycle) {
        this.sandboxes = sandboxes;
        this.containers = containers;
        this.lifecycle = lifecycle;
    }

    void checkpoint(CheckpointPodRequest request, TimeLimit limit) throws Exception {
        PodCheckpoints.refuseOptions(request.getOptionsMap());
        Sandbox sandbox = sandboxes.require(request.getPodSandboxId());
        if (!sandbox.ready()) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "sandbox " + sandbox.id()
                    + " is not ready; only a running pod can be checkpointed");
        }
        PodDirectory output = PodDirectory.empty(request.getOutputPath());
        List<Container> selected = selected(sandbox, request.getContainerIdsList());
        try {
            write(sandbox, selected, output, limit);
        } catch (Exception | Error e) {
            output.clear(e);
            throw e;
        }
        log.atInfo().addKeyValue("sandbox", sandbox.id()).addKeyValue("containers", selected.size())
                .addKeyValue("outputPath", output.path()).log("pod is checkpointed");
    }

    private List<Container> selected(Sandbox sandbox, List<String> ids) throws LifecycleException {
        if (ids.isEmpty()) {
            throw invalid("container_ids is empty; name the containers to checkpoint");
        }
        List<Container> selected = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (String id : ids) {
            Container container = containers.require(id);
            if (container.sandbox() != sandbox) {
                throw invalid("container_ids: container " + id + " is not of sandbox " + sandbox.id());
            }
            if (selected.contains(container)) {
                throw invalid("container_ids names " + id + " twice");
            }
            if (!names.add(container.record().config().getMetadata().getName())) {
                throw invalid("container_ids names two containers \""
                        + container.record().config().getMetadata().getName() + "\"");
            }
            selected.add(container);
        }
        return selected;
    }

    private void write(Sandbox sandbox, List<Container> selected, PodDirectory output, TimeLimit limit)
            throws Exception {
        List<ContainerCheckpoint> checkpoints = new ArrayList<>();
        try {
            for (Container container : selected) {
                checkpoints.add(lifecycle.beginCheckpoint(container, limit));
            }
            for (ContainerCheckpoint checkpoint : checkpoints) {
                checkpoint.pause(limit);
            }
            for (ContainerCheckpoint checkpoint : checkpoints) {
                checkpoint.capture(limit);
            }
            checkpoints.forEach(ContainerCheckpoint::resume);
            for (ContainerCheckpoint checkpoint : checkpoints) {
                limit.left("archive the checkpoint of container " + checkpoint.container().id());
                checkpoint.writeTo(output.archive(checkpoint.container().record().config().getMetadata()
                        .getName()));
            }
            output.writeDocuments(sandbox.record(), selected);
        } finally {
            // Nothing stays paused, whatever happened.
            checkpoints.forEach(ContainerCheckpoint::resume);
            checkpoints.forEach(ContainerCheckpoint::close);
        }
    }

    private static LifecycleException invalid(String text) {
        return new LifecycleException(LifecycleException.Kind.INVALID, text);
    }
}
