package io.berth.runtime.service;

import io.berth.cri.v1.ContainerStats;
import io.berth.cri.v1.ContainerStatsFilter;
import io.berth.cri.v1.ContainerStatsRequest;
import io.berth.cri.v1.ContainerStatsResponse;
import io.berth.cri.v1.ListContainerStatsRequest;
import io.berth.cri.v1.ListContainerStatsResponse;
import io.berth.cri.v1.ListMetricDescriptorsResponse;
import io.berth.cri.v1.ListPodSandboxMetricsResponse;
import io.berth.cri.v1.ListPodSandboxStatsRequest;
import io.berth.cri.v1.ListPodSandboxStatsResponse;
import io.berth.cri.v1.PodSandboxMetrics;
import io.berth.cri.v1.PodSandboxStats;
import io.berth.cri.v1.PodSandboxStatsFilter;
import io.berth.cri.v1.PodSandboxStatsRequest;
import io.berth.cri.v1.PodSandboxStatsResponse;
import io.berth.runtime.container.Containers;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.sandbox.Sandboxes;
import io.berth.runtime.stats.ContainerStatsReader;
import io.berth.runtime.stats.PodMetricsReader;
import io.berth.runtime.stats.PodStatsReader;
import java.util.List;

/** The CRI's calls for statistics and metrics. */
final class StatsCalls {
    private final Sandboxes sandboxes;
    private final Containers containers;
    private final ContainerStatsReader containerStats;
    private final PodStatsReader podStats;
    private final PodMetricsReader metrics;

    StatsCalls(Sandboxes sandboxes, Containers containers, ContainerStatsReader containerStats,
            PodStatsReader podStats, PodMetricsReader metrics) {
        this.sandboxes = sandboxes;
        this.containers = containers;
        this.containerStats = containerStats;
        this.podStats = podStats;
        this.metrics = metrics;
    }

    ContainerStatsResponse container(ContainerStatsRequest request) throws LifecycleException {
        return ContainerStatsResponse.newBuilder()
                .setStats(containerStats.read(containers.require(request.getContainerId()))).build();
    }

    ListContainerStatsResponse containers(ListContainerStatsRequest request) {
        return ListContainerStatsResponse.newBuilder().addAllStats(containers(request.getFilter())).build();
    }

    List<ContainerStats> containers(ContainerStatsFilter filter) {
        return containerStats.list(filter);
    }

    PodSandboxStatsResponse pod(PodSandboxStatsRequest request) throws LifecycleException {
        return PodSandboxStatsResponse.newBuilder()
                .setStats(podStats.read(sandboxes.require(request.getPodSandboxId()))).build();
    }

    ListPodSandboxStatsResponse pods(ListPodSandboxStatsRequest request) {
        return ListPodSandboxStatsResponse.newBuilder().addAllStats(pods(request.getFilter())).build();
    }

    List<PodSandboxStats> pods(PodSandboxStatsFilter filter) {
        return podStats.list(filter);
    }

    ListMetricDescriptorsResponse metricDescriptors() {
        return ListMetricDescriptorsResponse.newBuilder().addAllDescriptors(PodMetricsReader.descriptors())
                .build();
    }

    ListPodSandboxMetricsResponse metrics() {
        return ListPodSandboxMetricsResponse.newBuilder().addAllPodMetrics(podMetrics()).build();
    }

    List<PodSandboxMetrics> podMetrics() {
        return metrics.list();
    }
}
