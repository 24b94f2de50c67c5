package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.HugepageLimit;
import io.berth.cri.v1.LinuxContainerResources;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/** CRI resources as an OCI {@code linux.resources} object, for create and for {@code update}. */
public final class ResourceSection {
    private static final Pattern CPU_LIST = Pattern.compile("\\d+(-\\d+)?(,\\d+(-\\d+)?)*");
    private static final Pattern PAGE_SIZE = Pattern.compile("[1-9]\\d*[KMG]B");
    private static final Pattern UNIFIED_KEY = Pattern.compile("[a-z0-9_]+(\\.[A-Za-z0-9_]+)+");
    private static final String SWAP_FILE = "memory.swap.max";
    private static final int OOM_SCORE_ADJ_MAX = 1000;

    private ResourceSection() {}

    /**
     * The JSON of a live update ({@code OciRuntime.update}): only what the request sets; zero leaves a limit as it is.
     *
     * @throws OciException INVALID or UNSUPPORTED naming the field
     */
    public static byte[] update(LinuxContainerResources request, HostFacts host) throws OciException {
        return OciSpec.bytes(build(request, host));
    }

    static ObjectNode build(LinuxContainerResources request, HostFacts host) throws OciException {
        ObjectNode resources = OciSpec.object();
        cpu(request, resources);
        memory(request, host, resources);
        hugepages(request, host, resources);
        unified(request, host, resources);
        return resources;
    }

    /**
     * The {@code oom_score_adj} to set, at least the daemon's own where it may not lower one; {@code warn} hears of that.
     *
     * @throws OciException INVALID where it is none
     */
    public static int oomScoreAdj(long wanted, HostFacts host, Consumer<String> warn)
            throws OciException {
        if (wanted < -OOM_SCORE_ADJ_MAX || wanted > OOM_SCORE_ADJ_MAX) {
            throw OciException.invalid("oom_score_adj", wanted + " is not from -1000 to 1000");
        }
        if (wanted < host.oomScoreAdj() && !host.sysResource()) {
            warn.accept("oom_score_adj " + wanted + " was raised to " + host.oomScoreAdj()
                    + ": the daemon lacks CAP_SYS_RESOURCE and may not go below its own");
            return host.oomScoreAdj();
        }
        return (int) wanted;
    }

    private static void cpu(LinuxContainerResources request, ObjectNode resources) throws OciException {
        ObjectNode cpu = OciSpec.object();
        putPositive(cpu, "shares", "cpu_shares", request.getCpuShares());
        putPositive(cpu, "period", "cpu_period", request.getCpuPeriod());
        putLimit(cpu, "quota", "cpu_quota", request.getCpuQuota());
        putCpuList(cpu, "cpus", "cpuset_cpus", request.getCpusetCpus());
        putCpuList(cpu, "mems", "cpuset_mems", request.getCpusetMems());
        if (!cpu.isEmpty()) {
            resources.set("cpu", cpu);
        }
    }

    private static void memory(LinuxContainerResources request, HostFacts host, ObjectNode resources)
            throws OciException {
        ObjectNode memory = OciSpec.object();
        long limit = request.getMemoryLimitInBytes();
        long swap = request.getMemorySwapLimitInBytes();
        putLimit(memory, "limit", "memory_limit_in_bytes", limit);
        if (swap > 0 && swap < limit) {
            throw OciException.invalid("memory_swap_limit_in_bytes",
                    swap + " is below memory_limit_in_bytes " + limit + ", which it includes");
        }
        if (host.swapAccounting()) {
            // Without a word about swap a memory limit means no swap: kubelet's default, too.
            putLimit(memory, "swap", "memory_swap_limit_in_bytes", swap == 0 ? limit : swap);
        } else if (swap > limit) {
            throw OciException.unsupported("memory_swap_limit_in_bytes",
                    "this kernel does not account swap to cgroups; boot it with swapaccount=1");
        }
        if (!memory.isEmpty()) {
            resources.set("memory", memory);
        }
    }

    private static void hugepages(LinuxContainerResources request, HostFacts host, ObjectNode resources)
            throws OciException {
        ArrayNode limits = OciSpec.array();
        for (HugepageLimit limit : request.getHugepageLimitsList()) {
            if (!PAGE_SIZE.matcher(limit.getPageSize()).matches()) {
                throw OciException.invalid("hugepage_limits.page_size",
                        "\"" + limit.getPageSize() + "\" is not a size such as 2MB or 1GB");
            }
            if (host.cgroupControllers().contains("hugetlb")) {
                ObjectNode entry = limits.addObject().put("pageSize", limit.getPageSize());
                // Jackson has no unsigned long; the kernel takes anything over 2^63 as no limit.
                entry.put("limit", limit.getLimit() < 0 ? Long.MAX_VALUE : limit.getLimit());
            } else if (limit.getLimit() != 0) {
                throw OciException.unsupported("hugepage_limits",
                        "this node has no hugetlb cgroup controller, so " + limit.getPageSize()
                                + " pages cannot be limited");
            }
            // kubelet sends a zero for each page size of the node; without a controller there is nothing to forbid with.
        }
        if (!limits.isEmpty()) {
            resources.set("hugepageLimits", limits);
        }
    }

    private static void unified(LinuxContainerResources request, HostFacts host, ObjectNode resources)
            throws OciException {
        Map<String, String> entries = new TreeMap<>(request.getUnifiedMap());
        if (!host.cgroupV2() && !entries.isEmpty()) {
            throw OciException.unsupported("unified", "needs cgroup v2, and this node has cgroup v1");
        }
        if (host.cgroupV2() && host.swapAccounting() && forbidsSwap(request)) {
            // runc 1.1 tells systemd of every limit of swap but none at all, which ends with systemd's next reload, then.
            entries.putIfAbsent(SWAP_FILE, "0");
        }
        if (entries.isEmpty()) {
            return;
        }
        ObjectNode unified = resources.putObject("unified");
        for (Map.Entry<String, String> entry : entries.entrySet()) {
            if (!UNIFIED_KEY.matcher(entry.getKey()).matches()) {
                throw OciException.invalid("unified",
                        "\"" + entry.getKey() + "\" is not a cgroup file such as memory.high");
            }
            unified.put(entry.getKey(), entry.getValue());
        }
    }

    private static boolean forbidsSwap(LinuxContainerResources request) {
        long limit = request.getMemoryLimitInBytes();
        long swap = request.getMemorySwapLimitInBytes();
        return limit > 0 && (swap == 0 || swap == limit);
    }

    private static void putPositive(ObjectNode node, String name, String field, long value)
            throws OciException {
        if (value < 0) {
            throw OciException.invalid(field, value + " is negative");
        }
        if (value > 0) {
            node.put(name, value);
        }
    }

    /** Zero says nothing, -1 is no limit. */
    private static void putLimit(ObjectNode node, String name, String field, long value) throws OciException {
        if (value < -1) {
            throw OciException.invalid(field, value + " is negative; -1 means no limit");
        }
        if (value != 0) {
            node.put(name, value);
        }
    }

    private static void putCpuList(ObjectNode node, String name, String field, String list)
            throws OciException {
        if (list.isEmpty()) {
            return;
        }
        if (!CPU_LIST.matcher(list).matches()) {
            throw OciException.invalid(field, "\"" + list + "\" is not a list such as 0-3,7");
        }
        node.put(name, list);
    }
}
