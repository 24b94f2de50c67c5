package io.berth.runtime.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerMetrics;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.LinuxPodSandboxStats;
import io.berth.cri.v1.ListMetricDescriptorsRequest;
import io.berth.cri.v1.ListPodSandboxMetricsRequest;
import io.berth.cri.v1.ListPodSandboxStatsRequest;
import io.berth.cri.v1.Metric;
import io.berth.cri.v1.MetricDescriptor;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxMetrics;
import io.berth.cri.v1.PodSandboxStats;
import io.berth.cri.v1.PodSandboxStatsFilter;
import io.berth.cri.v1.PodSandboxStatsRequest;
import io.berth.cri.v1.UpdatePodSandboxResourcesRequest;
import io.berth.linux.NetworkInterfaces;
import io.berth.runtime.cgroup.CgroupDetail;
import io.berth.runtime.cgroup.CgroupUsage;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StatsTest {
    private static final Instant THEN = Instant.ofEpochSecond(1000);

    @TempDir
    Path directory;

    private FakeNode node;
    private CriServices services;
    private Cri cri;

    @BeforeEach
    void open() throws IOException {
        node = new FakeNode(directory);
        services = node.open();
        cri = new Cri(services);
        node.interfaces.addAll(List.of(new NetworkInterfaces.Statistics("lo", 1, 1, 1, 1, 1, 1, 1, 1),
                new NetworkInterfaces.Statistics("net1", 10, 0, 0, 0, 0, 0, 0, 0),
                new NetworkInterfaces.Statistics("eth0", 100, 2, 3, 4, 500, 6, 7, 8)));
    }

    @AfterEach
    void close() {
        services.close();
    }

    @Test
    void aPodsStatisticsAreThoseOfItsCgroupInterfacesAndContainers() {
        String pod = cri.run(Cri.pod("web"));
        String container = cri.create(pod, Cri.container("app"));
        node.cgroups.put("/berth/" + pod, detail(THEN, 5_000_000_000L));
        node.cgroups.put("/berth/" + pod + "/" + container, detail(THEN, 1_000_000_000L));

        LinuxPodSandboxStats stats = stats(pod).getLinux();
        assertThat(stats.getCpu().getUsageCoreNanoSeconds().getValue()).isEqualTo(5_000_000_000L);
        assertThat(stats.getCpu().hasUsageNanoCores()).isFalse();
        assertThat(stats.getMemory().getWorkingSetBytes().getValue()).isEqualTo(800);
        assertThat(stats.getMemory().hasAvailableBytes()).isFalse();
        assertThat(stats.getIo().getPsi().getSome().getTotal()).isEqualTo(3_000_000_000L);
        assertThat(stats.getProcess().getProcessCount().getValue()).isEqualTo(2);
        assertThat(stats.getNetwork().getDefaultInterface().getName()).isEqualTo("eth0");
        assertThat(stats.getNetwork().getDefaultInterface().getTxBytes().getValue()).isEqualTo(500);
        assertThat(stats.getNetwork().getInterfacesList()).hasSize(1);
        assertThat(stats.getNetwork().getInterfaces(0).getName()).isEqualTo("net1");
        assertThat(stats.getContainersList()).hasSize(1);
        assertThat(stats.getContainers(0).getAttributes().getId()).isEqualTo(container);

        node.cgroups.put("/berth/" + pod, detail(THEN.plusSeconds(2), 6_000_000_000L));
        assertThat(stats(pod).getLinux().getCpu().getUsageNanoCores().getValue()).isEqualTo(500_000_000);
    }

    @Test
    void aPodOfWhichNothingCanBeReadIsStillListed() {
        String pod = cri.run(Cri.pod("web"));
        node.failing.add("environment.interfaces");
        LinuxPodSandboxStats stats = stats(pod).getLinux();
        assertThat(stats.hasNetwork()).isFalse();
        assertThat(stats.hasCpu()).isFalse();
        assertThat(list(PodSandboxStatsFilter.getDefaultInstance())).hasSize(1);
    }

    @Test
    void statisticsAreFilteredAndLeaveOutStoppedPods() {
        String web = cri.run(Cri.pod("web"));
        String db = cri.run(Cri.pod("db"));
        assertThat(list(PodSandboxStatsFilter.getDefaultInstance())).containsExactlyInAnyOrder(web, db);
        assertThat(list(PodSandboxStatsFilter.newBuilder().setId(web.substring(0, 13)).build()))
                .containsExactly(web);
        assertThat(list(PodSandboxStatsFilter.newBuilder().putLabelSelector("app", "db").build()))
                .containsExactly(db);
        cri.stopPod(db);
        assertThat(list(PodSandboxStatsFilter.getDefaultInstance())).containsExactly(web);
        assertThat(stats(db).hasLinux()).isFalse();
        assertStatus(() -> stats("absent"), Status.Code.NOT_FOUND, "absent");
    }

    @Test
    void everyMetricHasTheLabelsOfItsDescriptor() {
        String pod = cri.run(Cri.pod("web"));
        String container = cri.create(pod, Cri.container("app"));
        cri.start(container);
        node.cgroups.put("/berth/" + pod, detail(THEN, 5_000_000_000L));
        node.cgroups.put("/berth/" + pod + "/" + container, detail(THEN, 1_999_000_000L));
        Map<String, Integer> labels = Cri.call(cri.service()::listMetricDescriptors,
                ListMetricDescriptorsRequest.getDefaultInstance()).getDescriptorsList().stream()
                .collect(Collectors.toMap(MetricDescriptor::getName, MetricDescriptor::getLabelKeysCount));

        PodSandboxMetrics metrics = Cri.call(cri.service()::listPodSandboxMetrics,
                ListPodSandboxMetricsRequest.getDefaultInstance()).getPodMetrics(0);

        assertThat(metrics.getPodSandboxId()).isEqualTo(pod);
        ContainerMetrics ofContainer = metrics.getContainerMetrics(0);
        assertThat(ofContainer.getContainerId()).isEqualTo(container);
        for (List<Metric> all : List.of(metrics.getMetricsList(), ofContainer.getMetricsList())) {
            assertThat(all).allSatisfy(metric -> assertThat(labels)
                    .containsEntry(metric.getName(), metric.getLabelValuesCount()));
        }
        Metric cpu = metric(ofContainer.getMetricsList(), "container_cpu_usage_seconds_total");
        assertThat(cpu.getLabelValuesList()).containsExactly("app", "/berth/x", FakeNode.IMAGE, container,
                "ns", "web", "total");
        assertThat(cpu.getValue().getValue()).isEqualTo(1);
        assertThat(metric(ofContainer.getMetricsList(), "container_memory_working_set_bytes").getValue()
                .getValue()).isEqualTo(800);
        assertThat(metric(metrics.getMetricsList(), "container_cpu_usage_seconds_total").getLabelValuesList())
                .containsExactly("", "/berth/x", "", "", "ns", "web", "total");
        Metric received = metrics.getMetricsList().stream()
                .filter(one -> one.getName().equals("container_network_receive_bytes_total"))
                .filter(one -> one.getLabelValuesList().getLast().equals("eth0")).findFirst().orElseThrow();
        assertThat(received.getValue().getValue()).isEqualTo(100);
    }

    @Test
    void resourcesOfAPodWhoseCgroupIsBerthsAreSetWithOverheadOnTop() {
        String pod = cri.run(Cri.pod("web"));
        update(pod, request -> request
                .setResources(LinuxContainerResources.newBuilder().setMemoryLimitInBytes(1000)
                        .setCpuPeriod(100_000).setCpuQuota(50_000).setCpuShares(512))
                .setOverhead(LinuxContainerResources.newBuilder().setMemoryLimitInBytes(100)
                        .setCpuPeriod(50_000).setCpuQuota(5_000).setCpuShares(2)));
        assertThat(node.limits.get("/berth/" + pod))
                .isEqualTo(LinuxContainerResources.newBuilder().setMemoryLimitInBytes(1100)
                        .setCpuPeriod(100_000).setCpuQuota(60_000).setCpuShares(514).build());
        // What a request does not have stays.
        update(pod, request -> request
                .setResources(LinuxContainerResources.newBuilder().setMemoryLimitInBytes(2000)));
        assertThat(node.limits).containsEntry("/berth/" + pod,
                LinuxContainerResources.newBuilder().setMemoryLimitInBytes(2100).build());
    }

    @Test
    void aNamedParentIsLimitedByWhoMadeIt() {
        PodSandboxConfig.Builder config = Cri.pod("web").toBuilder();
        config.getLinuxBuilder().setCgroupParent("/kubepods/pod1");
        String pod = cri.run(config.build());
        update(pod, request -> request
                .setResources(LinuxContainerResources.newBuilder().setMemoryLimitInBytes(1000)));
        assertThat(node.limits).isEmpty();
    }

    @Test
    void resourcesThatCannotBeObeyedAreRefusedByName() {
        String pod = cri.run(Cri.pod("web"));
        assertStatus(() -> update(pod, request -> request
                .setResources(LinuxContainerResources.newBuilder().setOomScoreAdj(1))),
                Status.Code.INVALID_ARGUMENT, "resources.oom_score_adj");
        assertStatus(() -> update(pod, request -> request
                .setOverhead(LinuxContainerResources.newBuilder().setCpusetCpus("0"))),
                Status.Code.INVALID_ARGUMENT, "overhead.cpuset_cpus");
        assertStatus(() -> update(pod, request -> request
                .setResources(LinuxContainerResources.newBuilder().setCpuQuota(-7))),
                Status.Code.INVALID_ARGUMENT, "resources.cpu_quota");
        assertThat(node.limits).isEmpty();
        cri.stopPod(pod);
        assertStatus(() -> update(pod, request -> request
                .setResources(LinuxContainerResources.newBuilder().setCpuShares(2))),
                Status.Code.FAILED_PRECONDITION, pod);
    }

    private void update(String pod, UnaryOperator<UpdatePodSandboxResourcesRequest.Builder> fill) {
        UpdatePodSandboxResourcesRequest.Builder request = UpdatePodSandboxResourcesRequest.newBuilder()
                .setPodSandboxId(pod);
        Cri.call(cri.service()::updatePodSandboxResources, fill.apply(request).build());
    }

    private PodSandboxStats stats(String pod) {
        return Cri.call(cri.service()::podSandboxStats,
                PodSandboxStatsRequest.newBuilder().setPodSandboxId(pod).build()).getStats();
    }

    private List<String> list(PodSandboxStatsFilter filter) {
        return Cri.call(cri.service()::listPodSandboxStats,
                ListPodSandboxStatsRequest.newBuilder().setFilter(filter).build()).getStatsList().stream()
                .map(stats -> stats.getAttributes().getId()).toList();
    }

    private static Metric metric(List<Metric> metrics, String name) {
        return metrics.stream().filter(one -> one.getName().equals(name)).findFirst().orElseThrow();
    }

    private static void assertStatus(Runnable call, Status.Code code, String named) {
        assertThatThrownBy(call::run).isInstanceOfSatisfying(StatusRuntimeException.class,
                e -> assertThat(e.getStatus().getCode()).isEqualTo(code)).hasMessageContaining(named);
    }

    private static CgroupDetail detail(Instant at, long cpuNanos) {
        OptionalLong none = OptionalLong.empty();
        CgroupUsage.Psi psi = new CgroupUsage.Psi(new CgroupUsage.Line(3_000_000, 1, 2, 3),
                new CgroupUsage.Line(0, 0, 0, 0));
        CgroupUsage usage = new CgroupUsage(at, OptionalLong.of(cpuNanos), OptionalLong.of(1000),
                OptionalLong.of(800), none, OptionalLong.of(300), none, none, none, none, none,
                OptionalLong.of(2), Optional.empty(), Optional.empty(), Optional.of(psi));
        return new CgroupDetail("/berth/x", usage,
                new CgroupDetail.Cpu(none, none, none, none, none, OptionalLong.of(2), none, none),
                new CgroupDetail.Memory(none, none, none, none, none, none, none, none, none, none, none),
                List.of(new CgroupDetail.DeviceIo(999, 1, 1, 2, 3, 4)),
                List.of(new CgroupDetail.HugePages("2MB", 0, none)),
                new CgroupDetail.Tasks(List.of(1L, 2L), OptionalLong.of(3), none), 0);
    }
}
