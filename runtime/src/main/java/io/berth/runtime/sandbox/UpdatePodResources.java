package io.berth.runtime.sandbox;

import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.LinuxPodSandboxConfig;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.UpdatePodSandboxResourcesRequest;
import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.oci.HostFacts;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.oci.ResourceSection;
import io.berth.runtime.state.Durability;

/**
 * CRI {@code UpdatePodSandboxResources}: what a pod may use as a whole is remembered, and set where Berth made the pod's cgroup. A
 * cgroup that was named as {@code cgroup_parent} is its maker's: kubelet has set its limits before this call, and by another sum
 * than {@code resources}, which leaves out the containers without a limit.
 */
final class UpdatePodResources {
    /** What kubelet and the kernel take where no period is given. */
    private static final long DEFAULT_PERIOD_MICROS = 100_000;

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
        check("overhead", request.getOverhead());
        check("resources", request.getResources());
        LinuxContainerResources overhead = request.getOverhead();
        need(overhead.getCpusetCpus().isEmpty(), "overhead.cpuset_cpus");
        need(overhead.getCpusetMems().isEmpty(), "overhead.cpuset_mems");
        need(overhead.getUnifiedCount() == 0, "overhead.unified");
        need(overhead.getHugepageLimitsCount() == 0, "overhead.hugepage_limits");
        need(overhead.getMemorySwapLimitInBytes() == 0, "overhead.memory_swap_limit_in_bytes");
        Sandbox sandbox = sandboxes.require(request.getPodSandboxId());
        sandbox.exclusively(() -> {
            if (!sandbox.ready()) {
                throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "pod sandbox "
                        + sandbox.id() + " is stopped; its resources cannot be changed");
            }
            PodSandboxConfig next = merge(sandbox.record().config(), request);
            if (next.getLinux().getCgroupParent().isEmpty()) {
                cgroups.limit(sandbox.record().cgroup(),
                        sum(next.getLinux().getResources(), next.getLinux().getOverhead()));
            }
            return sandboxes.update(sandbox, Durability.DAEMON_CRASH, record -> record.withConfig(next));
        });
    }

    private void check(String field, LinuxContainerResources resources) throws LifecycleException {
        if (resources.getOomScoreAdj() != 0) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, field
                    + ".oom_score_adj is a process's, not a pod's; set it for its containers");
        }
        try {
            ResourceSection.update(resources, host);
        } catch (OciException e) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, field + "." + e.getMessage(), e);
        }
    }

    private static void need(boolean absent, String field) throws LifecycleException {
        if (!absent) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, field
                    + " cannot be added to what the pod's containers may use; set it in resources");
        }
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

    /** The pod's limits: overhead is added to each that there is, as no limit and something more is no limit. */
    static LinuxContainerResources sum(LinuxContainerResources resources, LinuxContainerResources overhead) {
        LinuxContainerResources.Builder sum = resources.toBuilder();
        if (resources.getCpuShares() > 0) {
            sum.setCpuShares(resources.getCpuShares() + overhead.getCpuShares());
        }
        if (resources.getCpuQuota() > 0 && overhead.getCpuQuota() > 0) {
            // A quota counts by its period: overhead is brought to that of the pod.
            sum.setCpuQuota(resources.getCpuQuota()
                    + overhead.getCpuQuota() * period(resources) / period(overhead));
        }
        if (resources.getMemoryLimitInBytes() > 0) {
            long more = Math.max(0, overhead.getMemoryLimitInBytes());
            sum.setMemoryLimitInBytes(resources.getMemoryLimitInBytes() + more);
            if (resources.getMemorySwapLimitInBytes() > 0) {
                sum.setMemorySwapLimitInBytes(resources.getMemorySwapLimitInBytes() + more);
            }
        }
        return sum.build();
    }

    private static long period(LinuxContainerResources resources) {
        return resources.getCpuPeriod() > 0 ? resources.getCpuPeriod() : DEFAULT_PERIOD_MICROS;
    }
}
