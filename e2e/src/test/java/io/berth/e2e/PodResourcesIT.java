package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.HugepageLimit;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxState;
import io.berth.cri.v1.RunPodSandboxRequest;
import io.berth.cri.v1.UpdateContainerResourcesRequest;
import io.berth.cri.v1.UpdatePodSandboxResourcesRequest;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Cgroups;
import io.berth.e2e.node.Node;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** What a pod as a whole may use, and what changes while it runs. */
@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class PodResourcesIT {
    private static final long MIB = 1 << 20;
    private static final boolean V2 = NodeFeature.CGROUP_V2.isPresent();

    @Container
    static final Node NODE = new Node();

    private final String handler;

    PodResourcesIT(String handler) {
        this.handler = handler;
    }

    @Test
    void aPodThatBerthMakesTheCgroupOfHasItsResourcesAndOverhead() throws IOException {
        try (PodHandle pod = PodHandle.run(NODE.cri(), ownCgroup("limited", memory(64), memory(16)),
                handler)) {
            assertThat(limit(pod, "memory/%s/memory.limit_in_bytes", "%s/memory.max"))
                    .isEqualTo(Long.toString(80 * MIB));

            NODE.cri().runtime().updatePodSandboxResources(UpdatePodSandboxResourcesRequest.newBuilder()
                    .setPodSandboxId(pod.id()).setResources(memory(128)).build());

            assertThat(limit(pod, "memory/%s/memory.limit_in_bytes", "%s/memory.max"))
                    .isEqualTo(Long.toString(144 * MIB));
        }
    }

    @Test
    void aPodsHugepagesAreLimited() throws IOException {
        LinuxContainerResources huge = LinuxContainerResources.newBuilder()
                .addHugepageLimits(HugepageLimit.newBuilder().setPageSize("2MB").setLimit(4 * MIB)).build();
        try (PodHandle pod = PodHandle.run(NODE.cri(),
                ownCgroup("huge", huge, LinuxContainerResources.getDefaultInstance()), handler)) {
            assertThat(limit(pod, "hugetlb/%s/hugetlb.2MB.limit_in_bytes", "%s/hugetlb.2MB.max"))
                    .isEqualTo(Long.toString(4 * MIB));
        }
    }

    @Test
    void aCgroupThatWasNamedIsItsMakers() throws IOException {
        PodSandboxConfig.Builder config = Configs.pod("named", NODE.logs());
        config.getLinuxBuilder().setResources(memory(64));
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            String parent = config.getLinux().getCgroupParent();
            String seen = Files.readString(Path.of(V2
                    ? "/sys/fs/cgroup" + parent + "/memory.max"
                    : "/sys/fs/cgroup/memory" + parent + "/memory.limit_in_bytes")).strip();

            assertThat(seen).isNotEqualTo(Long.toString(64 * MIB));
            assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_READY);
        }
    }

    @Test
    void aPodThatIsAskedForAgainAfterAnUpdateIsTheSame() {
        PodSandboxConfig.Builder config = ownCgroup("again", memory(64), memory(16));
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            NODE.cri().runtime().updatePodSandboxResources(UpdatePodSandboxResourcesRequest.newBuilder()
                    .setPodSandboxId(pod.id()).setResources(memory(128)).setOverhead(memory(8)).build());

            assertThat(run(config.build())).isEqualTo(pod.id());
            assertThat(failure(() -> run(config.clone().setHostname("other").build())))
                    .isEqualTo(Status.Code.ALREADY_EXISTS);
        }
    }

    @Test
    void whatCannotBeAPodsIsRefusedByItsName() {
        PodSandboxConfig score = ownCgroup("score",
                LinuxContainerResources.newBuilder().setOomScoreAdj(5).build(),
                LinuxContainerResources.getDefaultInstance()).build();
        PodSandboxConfig cpus = ownCgroup("cpus", LinuxContainerResources.getDefaultInstance(),
                LinuxContainerResources.newBuilder().setCpusetCpus("0").build()).build();

        assertThat(message(() -> run(score))).contains("INVALID_ARGUMENT")
                .contains("config.linux.resources.oom_score_adj");
        assertThat(message(() -> run(cpus))).contains("INVALID_ARGUMENT")
                .contains("config.linux.overhead.cpuset_cpus");
    }

    /** kubelet names memory.oom.group in the resources and in the overhead on cgroup v2. */
    @Test
    void unifiedSettingsAreWrittenOnVersion2AndRefusedOnVersion1() throws IOException {
        LinuxContainerResources unified = LinuxContainerResources.newBuilder()
                .putUnified("memory.oom.group", "1").build();
        PodSandboxConfig.Builder config = ownCgroup("unified", unified, unified);
        if (!V2) {
            assertThat(message(() -> run(config.build()))).contains("unified");
            return;
        }
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            assertThat(limit(pod, "", "%s/memory.oom.group")).isEqualTo("1");
        }
    }

    @Test
    void aContainersNewLimitsAreSeenByItAndInItsStatus() {
        try (PodHandle pod = NODE.pod("update", handler)) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));

            NODE.cri().runtime().updateContainerResources(UpdateContainerResourcesRequest.newBuilder()
                    .setContainerId(container.id()).setLinux(LinuxContainerResources.newBuilder()
                            .setMemoryLimitInBytes(96 * MIB).setMemorySwapLimitInBytes(96 * MIB)
                            .setCpuPeriod(100_000).setCpuQuota(40_000).setCpuShares(300))
                    .build());

            assertThat(container.sh("cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null"
                    + " || cat /sys/fs/cgroup/memory.max")).isEqualTo(Long.toString(96 * MIB));
            assertThat(container.sh("cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null"
                    + " || cut -d' ' -f1 /sys/fs/cgroup/cpu.max")).isEqualTo("40000");
            ContainerStatus status = container.status();
            assertThat(status.getResources().getLinux().getMemoryLimitInBytes()).isEqualTo(96 * MIB);
            assertThat(status.getResources().getLinux().getMemorySwapLimitInBytes()).isEqualTo(96 * MIB);
            assertThat(status.getResources().getLinux().getCpuQuota()).isEqualTo(40_000);
            assertThat(status.getResources().getLinux().getCpuShares()).isEqualTo(300);
        }
    }

    private String run(PodSandboxConfig config) {
        return NODE.cri().runtime().runPodSandbox(RunPodSandboxRequest.newBuilder().setConfig(config)
                .setRuntimeHandler(handler).build()).getPodSandboxId();
    }

    private static PodSandboxConfig.Builder ownCgroup(String name, LinuxContainerResources resources,
            LinuxContainerResources overhead) {
        PodSandboxConfig.Builder config = Configs.pod(name, NODE.logs());
        config.getLinuxBuilder().clearCgroupParent().setResources(resources).setOverhead(overhead);
        return config;
    }

    private static LinuxContainerResources memory(long mebibytes) {
        return LinuxContainerResources.newBuilder().setMemoryLimitInBytes(mebibytes * MIB).build();
    }

    /** A file of the pod's own cgroup, wherever Berth has made that. */
    private static String limit(PodHandle pod, String v1, String v2) throws IOException {
        String pattern = V2 ? v2 : v1;
        Path top = Path.of("/sys/fs/cgroup", V2 ? "" : pattern.substring(0, pattern.indexOf('/')));
        String file = pattern.substring(pattern.lastIndexOf('/') + 1);
        List<Path> found = Cgroups.below(top).stream()
                .filter(path -> path.toString().contains(pod.id()) && Files.exists(path.resolve(file)))
                .sorted(Comparator.comparingInt(Path::getNameCount)).toList();
        // On version 2 there is another below it, for a process of the pod's own.
        assertThat(found).hasSizeBetween(1, V2 ? 2 : 1);
        return Files.readString(found.getFirst().resolve(file)).strip();
    }

    private static Status.Code failure(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        return catchThrowableOfType(StatusRuntimeException.class, call).getStatus().getCode();
    }

    private static String message(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        return String.valueOf(catchThrowableOfType(StatusRuntimeException.class, call).getMessage());
    }
}
