package io.berth.runtime.sandbox;

import io.berth.cri.v1.LinuxContainerResources;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.oci.HostFacts;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.oci.ResourceSection;
import java.util.Map;

/** What a pod may use as a whole: the {@code resources} of its containers and the {@code overhead} of running it. */
final class PodLimits {
    /** What kubelet and the kernel take where no period is given. */
    private static final long DEFAULT_PERIOD_MICROS = 100_000;

    private PodLimits() {}

    /**
     * Refuses what cannot be a pod's.
     *
     * @param prefix of the fields' names in the request
     */
    static void check(String prefix, LinuxContainerResources resources, LinuxContainerResources overhead,
            HostFacts host) throws LifecycleException {
        check(prefix + "overhead", overhead, host);
        check(prefix + "resources", resources, host);
        need(overhead.getCpusetCpus().isEmpty(), prefix + "overhead.cpuset_cpus");
        need(overhead.getCpusetMems().isEmpty(), prefix + "overhead.cpuset_mems");
        need(overhead.getHugepageLimitsCount() == 0, prefix + "overhead.hugepage_limits");
        need(overhead.getMemorySwapLimitInBytes() == 0, prefix + "overhead.memory_swap_limit_in_bytes");
        // kubelet names memory.oom.group in both.
        for (Map.Entry<String, String> entry : overhead.getUnifiedMap().entrySet()) {
            need(entry.getValue()
                    .equals(resources.getUnifiedMap().getOrDefault(entry.getKey(), entry.getValue())),
                    prefix + "overhead.unified." + entry.getKey());
        }
    }

    private static void check(String field, LinuxContainerResources resources, HostFacts host)
            throws LifecycleException {
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
        return sum.putAllUnified(overhead.getUnifiedMap()).build();
    }

    private static long period(LinuxContainerResources resources) {
        return resources.getCpuPeriod() > 0 ? resources.getCpuPeriod() : DEFAULT_PERIOD_MICROS;
    }
}
