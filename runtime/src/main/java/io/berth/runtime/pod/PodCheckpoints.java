package io.berth.runtime.pod;

import io.berth.cri.v1.CheckpointPodRequest;
import io.berth.cri.v1.RestorePodRequest;
import io.berth.cri.v1.RestorePodResponse;
import io.berth.runtime.container.ContainerLifecycle;
import io.berth.runtime.container.Containers;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.TimeLimit;
import io.berth.runtime.sandbox.SandboxLifecycle;
import io.berth.runtime.sandbox.Sandboxes;
import java.util.Map;

/** CRI {@code CheckpointPod} and {@code RestorePod}. */
public final class PodCheckpoints {
    private final CheckpointPod checkpoint;
    private final RestorePod restore;

    public PodCheckpoints(Sandboxes sandboxes, SandboxLifecycle sandboxLifecycle, Containers containers,
            ContainerLifecycle containerLifecycle) {
        this.checkpoint = new CheckpointPod(sandboxes, containers, containerLifecycle);
        this.restore = new RestorePod(sandboxLifecycle, containers, containerLifecycle);
    }

    /** Writes one moment of the named containers of a pod into an empty directory; they run on. */
    public void checkpoint(CheckpointPodRequest request, TimeLimit limit) throws Exception {
        checkpoint.checkpoint(request, limit);
    }

    /** Makes a pod whose containers wait, created, to go on from a checkpoint when they are started. */
    public RestorePodResponse restore(RestorePodRequest request) throws Exception {
        return restore.restore(request);
    }

    /** Berth has no settings of its own for these calls. */
    static void refuseOptions(Map<String, String> options) throws LifecycleException {
        if (!options.isEmpty()) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, "options: berth knows no option \""
                    + options.keySet().stream().sorted().findFirst().orElse("") + "\"; it has none");
        }
    }
}
