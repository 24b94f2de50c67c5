package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.*;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.EventQueue;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Testcontainers;

/** What kubelet reads all the time: events, streamed lists, statistics and metrics. */
@Testcontainers
final class NodeReadsIT {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @org.testcontainers.junit.jupiter.Container
    static final Node NODE = new Node();

    @Test
    void everySubscriberHearsOfEveryStepOfAContainersLife() {
        try (var first = new EventQueue(NODE.cri()); var second = new EventQueue(NODE.cri())) {
            String podId;
            String id;
            try (PodHandle pod = NODE.pod("heard", "")) {
                podId = pod.id();
                ContainerHandle container = pod
                        .start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
                id = container.id();
                container.stop(0);
                container.remove();
            }
            for (EventQueue events : List.of(first, second)) {
                events.await(podId, ContainerEventType.CONTAINER_DELETED_EVENT, PATIENCE);
                for (String each : List.of(podId, id)) {
                    assertThat(events.of(each)).extracting(ContainerEventResponse::getContainerEventType)
                            .containsExactly(ContainerEventType.CONTAINER_CREATED_EVENT,
                                    ContainerEventType.CONTAINER_STARTED_EVENT,
                                    ContainerEventType.CONTAINER_STOPPED_EVENT,
                                    ContainerEventType.CONTAINER_DELETED_EVENT);
                }
                assertThat(events.of(id)).first().satisfies(event -> {
                    assertThat(event.getCreatedAt()).isPositive();
                    assertThat(event.getPodSandboxStatus().getId()).isEqualTo(podId);
                    assertThat(event.getContainersStatusesList()).extracting(ContainerStatus::getId)
                            .contains(id);
                });
            }
        }
    }

    @Test
    void streamedListsHaveWhatTheListsHave() {
        try (PodHandle pod = NODE.pod("streamed", "")) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000")
                    .putLabels("only", "me"));
            var cri = NODE.cri().runtime();
            var labels = java.util.Map.of("only", "me");

            assertThat(all(cri.streamPodSandboxes(StreamPodSandboxesRequest.newBuilder()
                    .setFilter(PodSandboxFilter.newBuilder().setId(pod.id())).build())))
                    .flatExtracting(StreamPodSandboxesResponse::getPodSandboxesList)
                    .isEqualTo(cri.listPodSandbox(ListPodSandboxRequest.newBuilder()
                            .setFilter(PodSandboxFilter.newBuilder().setId(pod.id())).build())
                            .getItemsList());
            assertThat(all(cri.streamContainers(StreamContainersRequest.newBuilder()
                    .setFilter(ContainerFilter.newBuilder().putAllLabelSelector(labels)).build())))
                    .flatExtracting(StreamContainersResponse::getContainersList)
                    .extracting(Container::getId).containsExactly(container.id());
            assertThat(all(cri.streamContainerStats(StreamContainerStatsRequest.newBuilder()
                    .setFilter(ContainerStatsFilter.newBuilder().putAllLabelSelector(labels)).build())))
                    .flatExtracting(StreamContainerStatsResponse::getContainerStatsList)
                    .extracting(stats -> stats.getAttributes().getId()).containsExactly(container.id());
            assertThat(all(cri.streamPodSandboxStats(StreamPodSandboxStatsRequest.newBuilder()
                    .setFilter(PodSandboxStatsFilter.newBuilder().setId(pod.id())).build())))
                    .flatExtracting(StreamPodSandboxStatsResponse::getPodSandboxStatsList)
                    .extracting(stats -> stats.getAttributes().getId()).containsExactly(pod.id());
            assertThat(all(cri.streamPodSandboxMetrics(StreamPodSandboxMetricsRequest.getDefaultInstance())))
                    .flatExtracting(StreamPodSandboxMetricsResponse::getPodSandboxMetricsList)
                    .extracting(PodSandboxMetrics::getPodSandboxId).contains(pod.id());
            assertThat(all(NODE.cri().images().streamImages(StreamImagesRequest.getDefaultInstance())))
                    .flatExtracting(StreamImagesResponse::getImagesList)
                    .isEqualTo(NODE.cri().images().listImages(ListImagesRequest.getDefaultInstance())
                            .getImagesList());
        }
    }

    @Test
    void thePodsStatisticsAreThoseOfItsContainersAndItsNetwork() {
        try (PodHandle pod = NODE.pod("counted", "")) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "dd if=/dev/zero of=/written bs=1M count=2; wget -q -O /dev/null http://10.88.0.1:1/;"
                            + " exec sleep 1000"));
            Await.until("it has written", PATIENCE,
                    () -> container.stats().getWritableLayer().getUsedBytes().getValue(),
                    bytes -> bytes >= 2 << 20);
            PodSandboxStats stats = NODE.cri().runtime().podSandboxStats(
                    PodSandboxStatsRequest.newBuilder().setPodSandboxId(pod.id()).build()).getStats();
            LinuxPodSandboxStats linux = stats.getLinux();

            assertThat(stats.getAttributes().getMetadata()).isEqualTo(pod.config().getMetadata());
            assertThat(linux.getCpu().getUsageCoreNanoSeconds().getValue()).isPositive();
            assertThat(linux.getMemory().getWorkingSetBytes().getValue()).isPositive();
            assertThat(linux.getProcess().getProcessCount().getValue()).isPositive();
            assertThat(linux.getNetwork().getDefaultInterface().getName()).isEqualTo("eth0");
            assertThat(linux.getNetwork().getDefaultInterface().getTxBytes().getValue()).isPositive();
            assertThat(linux.getContainersList()).extracting(each -> each.getAttributes().getId())
                    .containsExactly(container.id());
            assertThat(container.stats().getWritableLayer().getInodesUsed().getValue()).isPositive();
            assertThat(NODE.cri().runtime().listPodSandboxStats(ListPodSandboxStatsRequest.newBuilder()
                    .setFilter(PodSandboxStatsFilter.newBuilder().setId(pod.id()).putLabelSelector("no",
                            "such"))
                    .build()).getStatsList()).isEmpty();
        }
    }

    @Test
    void everyMetricIsDescribed() {
        try (PodHandle pod = NODE.pod("metrics", "")) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
            Set<String> described = NODE.cri().runtime()
                    .listMetricDescriptors(ListMetricDescriptorsRequest.getDefaultInstance())
                    .getDescriptorsList().stream().map(MetricDescriptor::getName).collect(Collectors.toSet());
            PodSandboxMetrics metrics = NODE.cri().runtime()
                    .listPodSandboxMetrics(ListPodSandboxMetricsRequest.getDefaultInstance())
                    .getPodMetricsList().stream().filter(each -> each.getPodSandboxId().equals(pod.id()))
                    .findFirst().orElseThrow();

            assertThat(described).contains("container_cpu_usage_seconds_total",
                    "container_memory_working_set_bytes", "container_network_receive_bytes_total");
            assertThat(metrics.getMetricsList()).extracting(Metric::getName).isSubsetOf(described)
                    .isNotEmpty();
            assertThat(metrics.getContainerMetricsList()).filteredOn(
                    each -> each.getContainerId().equals(container.id())).first()
                    .satisfies(each -> assertThat(each.getMetricsList()).extracting(Metric::getName)
                            .isSubsetOf(described).contains("container_memory_working_set_bytes"));
        }
    }

    private static <T> List<T> all(Iterator<T> messages) {
        var all = new ArrayList<T>();
        messages.forEachRemaining(all::add);
        return all;
    }
}
