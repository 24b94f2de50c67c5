package io.berth.runtime.sandbox;

import io.berth.cri.v1.LinuxPodSandboxConfig;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.UpdatePodSandboxResourcesRequest;
import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.oci.HostFacts;
import io.berth.runtime.state.Durability;

/**
 * CRI {@code UpdatePodSandboxResources}: what a pod may use as a whole is remembered, and set where Berth made the pod's cgroup. A
 * cgroup that was named as {@code cgroup_parent} is its maker's: kubelet has set its limits before this call, and by another sum
 * than {@code resources}, which leaves out the containers without a limit.
 */
final class UpdatePodResources {
    private final Sandboxes sandboxes;
    private final Cgroups cgroups;
    private final HostFacts host;

    UpdatePodResources(Sandboxes sandboxes, Cgroups cgroups, HostFacts host) {
        this.sandboxes = sandboxes;
        this.cgroups = cgroups;
        this.host = host;
    }

    /** Changes what the request has; a message that it lacks leaves what was. */
    void update(UpdatePodSandboxResourcesRequest request) throws Exception {
        PodLimits.check("", request.getResources(), request.getOverhead(), host);
        Sandbox sandbox = sandboxes.require(request.getPodSandboxId());
        sandbox.exclusively(() -> {
            if (!sandbox.ready()) {
                throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "pod sandbox "
                        + sandbox.id() + " is stopped; its resources cannot be changed");
            }
            PodSandboxConfig next = merge(sandbox.record().config(), request);
            if (next.getLinux().getCgroupParent().isEmpty()) {
                cgroups.limit(sandbox.record().cgroup(),
                        PodLimits.sum(next.getLinux().getResources(), next.getLinux().getOverhead()));
            }
            return sandboxes.update(sandbox, Durability.DAEMON_CRASH, record -> record.withConfig(next));
        });
    }

    private static PodSandboxConfig merge(PodSandboxConfig config, UpdatePodSandboxResourcesRequest request) {
        LinuxPodSandboxConfig.Builder linux = config.getLinux().toBuilder();
        if (request.hasOverhead()) {
            linux.setOverhead(request.getOverhead());
        }
        if (request.hasResources()) {
            linux.setResources(request.getResources());
        }
        return config.toBuilder().setLinux(linux).build();
    }
}
