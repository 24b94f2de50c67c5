package io.berth.runtime.service;

import io.berth.cri.v1.*;
import io.berth.runtime.container.Container;
import io.berth.runtime.container.ContainerInfo;
import io.berth.runtime.container.ContainerLifecycle;
import io.berth.runtime.container.ContainerMessages;
import io.berth.runtime.container.Containers;
import io.berth.runtime.events.EventHub;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.TimeLimit;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.pod.PodCheckpoints;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.sandbox.SandboxInfo;
import io.berth.runtime.sandbox.SandboxLifecycle;
import io.berth.runtime.sandbox.SandboxMessages;
import io.berth.runtime.sandbox.Sandboxes;
import io.berth.runtime.state.Layout;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** CRI {@code RuntimeService}. An rpc that is not overridden here answers UNIMPLEMENTED with its own name. */
final class RuntimeServiceImpl extends RuntimeServiceGrpc.RuntimeServiceImplBase {
    /** Longer than any grace period or timeout that is meant; keeps arithmetic with it from overflowing. */
    private static final long MAX_SECONDS = Duration.ofDays(365).toSeconds();

    /** For the memory of a large pod on a slow disk; a caller that waits shorter says so. */
    private static final Duration CHECKPOINT_LIMIT = Duration.ofMinutes(10);

    private final Seams seams;
    private final Layout layout;
    private final NodeStatus node;
    private final Sandboxes sandboxes;
    private final SandboxLifecycle sandboxLifecycle;
    private final Containers containers;
    private final ContainerLifecycle containerLifecycle;
    private final PodCheckpoints pods;
    private final StatsCalls stats;
    private final EventHub events;
    private final StreamingCalls streaming;

    RuntimeServiceImpl(Seams seams, Layout layout, NodeStatus node, Sandboxes sandboxes,
            SandboxLifecycle sandboxLifecycle, Containers containers, ContainerLifecycle containerLifecycle,
            PodCheckpoints pods, StatsCalls stats, EventHub events, StreamingCalls streaming) {
        this.seams = seams;
        this.layout = layout;
        this.node = node;
        this.sandboxes = sandboxes;
        this.sandboxLifecycle = sandboxLifecycle;
        this.containers = containers;
        this.containerLifecycle = containerLifecycle;
        this.pods = pods;
        this.stats = stats;
        this.events = events;
        this.streaming = streaming;
    }

    @Override
    public void version(VersionRequest request, StreamObserver<VersionResponse> observer) {
        // The kubelet's runtime API version is always 0.1.0; the CRI's own is v1.
        Calls.answer("Version", observer, () -> VersionResponse.newBuilder().setVersion("0.1.0")
                .setRuntimeName("berth").setRuntimeVersion(seams.version()).setRuntimeApiVersion("v1")
                .build());
    }

    @Override
    public void status(StatusRequest request, StreamObserver<StatusResponse> observer) {
        Calls.answer("Status", observer, () -> node.status(request.getVerbose()));
    }

    @Override
    public void runtimeConfig(RuntimeConfigRequest request, StreamObserver<RuntimeConfigResponse> observer) {
        Calls.answer("RuntimeConfig", observer, () -> RuntimeConfigResponse.newBuilder()
                .setLinux(LinuxRuntimeConfiguration.newBuilder()
                        .setCgroupDriver(switch (seams.cgroups().driver()) {
                            case CGROUPFS -> CgroupDriver.CGROUPFS;
                            case SYSTEMD -> CgroupDriver.SYSTEMD;
                        }))
                .build());
    }

    @Override
    public void updateRuntimeConfig(UpdateRuntimeConfigRequest request,
            StreamObserver<UpdateRuntimeConfigResponse> observer) {
        Calls.answer("UpdateRuntimeConfig", observer, () -> {
            try {
                seams.cni().podCidr(request.getRuntimeConfig().getNetworkConfig().getPodCidr());
            } catch (IllegalArgumentException e) {
                throw new LifecycleException(LifecycleException.Kind.INVALID,
                        "runtime_config.network_config.pod_cidr: " + e.getMessage(), e);
            }
            return UpdateRuntimeConfigResponse.getDefaultInstance();
        });
    }

    @Override
    public void runPodSandbox(RunPodSandboxRequest request, StreamObserver<RunPodSandboxResponse> observer) {
        Calls.answer("RunPodSandbox", observer, () -> RunPodSandboxResponse.newBuilder()
                .setPodSandboxId(sandboxLifecycle.run(request).id()).build());
    }

    @Override
    public void stopPodSandbox(StopPodSandboxRequest request,
            StreamObserver<StopPodSandboxResponse> observer) {
        Calls.answer("StopPodSandbox", observer, () -> {
            sandboxLifecycle.stop(request.getPodSandboxId());
            return StopPodSandboxResponse.getDefaultInstance();
        });
    }

    @Override
    public void removePodSandbox(RemovePodSandboxRequest request,
            StreamObserver<RemovePodSandboxResponse> observer) {
        Calls.answer("RemovePodSandbox", observer, () -> {
            sandboxLifecycle.remove(request.getPodSandboxId());
            return RemovePodSandboxResponse.getDefaultInstance();
        });
    }

    @Override
    public void podSandboxStatus(PodSandboxStatusRequest request,
            StreamObserver<PodSandboxStatusResponse> observer) {
        Calls.answer("PodSandboxStatus", observer, () -> {
            Sandbox sandbox = sandboxes.require(request.getPodSandboxId());
            PodSandboxStatusResponse.Builder response = PodSandboxStatusResponse.newBuilder()
                    .setStatus(SandboxMessages.status(sandbox.record()))
                    .addAllContainersStatuses(containerStatuses(sandbox.id()))
                    .setTimestamp(Times.nanos(seams.clock().instant()));
            if (request.getVerbose()) {
                response.putInfo("info", SandboxInfo.json(sandbox.record()));
            }
            return response.build();
        });
    }

    @Override
    public void listPodSandbox(ListPodSandboxRequest request,
            StreamObserver<ListPodSandboxResponse> observer) {
        Calls.answer("ListPodSandbox", observer, () -> ListPodSandboxResponse.newBuilder()
                .addAllItems(SandboxMessages.list(sandboxes.all(), request.getFilter())).build());
    }

    @Override
    public void streamPodSandboxes(StreamPodSandboxesRequest request,
            StreamObserver<StreamPodSandboxesResponse> observer) {
        Streams.list("StreamPodSandboxes", observer,
                () -> SandboxMessages.list(sandboxes.all(), request.getFilter()),
                items -> StreamPodSandboxesResponse.newBuilder().addAllPodSandboxes(items).build());
    }

    @Override
    public void updatePodSandboxResources(UpdatePodSandboxResourcesRequest request,
            StreamObserver<UpdatePodSandboxResourcesResponse> observer) {
        Calls.answer("UpdatePodSandboxResources", observer, () -> {
            sandboxLifecycle.update(request);
            return UpdatePodSandboxResourcesResponse.getDefaultInstance();
        });
    }

    @Override
    public void createContainer(CreateContainerRequest request,
            StreamObserver<CreateContainerResponse> observer) {
        Calls.answer("CreateContainer", observer, () -> CreateContainerResponse.newBuilder()
                .setContainerId(containerLifecycle.create(request).id()).build());
    }

    @Override
    public void startContainer(StartContainerRequest request,
            StreamObserver<StartContainerResponse> observer) {
        Calls.answer("StartContainer", observer, () -> {
            containerLifecycle.start(request.getContainerId());
            return StartContainerResponse.getDefaultInstance();
        });
    }

    @Override
    public void stopContainer(StopContainerRequest request, StreamObserver<StopContainerResponse> observer) {
        Calls.answer("StopContainer", observer, () -> {
            if (request.getTimeout() < 0) {
                throw invalid("timeout " + request.getTimeout()
                        + " is negative; 0 ends the container at once");
            }
            containerLifecycle.stop(request.getContainerId(), seconds(request.getTimeout()));
            return StopContainerResponse.getDefaultInstance();
        });
    }

    @Override
    public void removeContainer(RemoveContainerRequest request,
            StreamObserver<RemoveContainerResponse> observer) {
        Calls.answer("RemoveContainer", observer, () -> {
            containerLifecycle.remove(request.getContainerId());
            return RemoveContainerResponse.getDefaultInstance();
        });
    }

    @Override
    public void listContainers(ListContainersRequest request,
            StreamObserver<ListContainersResponse> observer) {
        Calls.answer("ListContainers", observer, () -> ListContainersResponse.newBuilder()
                .addAllContainers(ContainerMessages.list(containers.all(), request.getFilter())).build());
    }

    @Override
    public void streamContainers(StreamContainersRequest request,
            StreamObserver<StreamContainersResponse> observer) {
        Streams.list("StreamContainers", observer,
                () -> ContainerMessages.list(containers.all(), request.getFilter()),
                items -> StreamContainersResponse.newBuilder().addAllContainers(items).build());
    }

    @Override
    public void containerStatus(ContainerStatusRequest request,
            StreamObserver<ContainerStatusResponse> observer) {
        Calls.answer("ContainerStatus", observer, () -> {
            Container container = containers.require(request.getContainerId());
            ContainerStatusResponse.Builder response = ContainerStatusResponse.newBuilder()
                    .setStatus(ContainerMessages.status(container.record()));
            if (request.getVerbose()) {
                response.putInfo("info", ContainerInfo.json(container.record(), layout));
            }
            return response.build();
        });
    }

    @Override
    public void updateContainerResources(UpdateContainerResourcesRequest request,
            StreamObserver<UpdateContainerResourcesResponse> observer) {
        Calls.answer("UpdateContainerResources", observer, () -> {
            if (request.getAnnotationsCount() > 0) {
                throw invalid("annotations: Berth knows no option of an update, and so none of "
                        + request.getAnnotationsMap().keySet());
            }
            containerLifecycle.update(request.getContainerId(), request.getLinux());
            return UpdateContainerResourcesResponse.getDefaultInstance();
        });
    }

    @Override
    public void reopenContainerLog(ReopenContainerLogRequest request,
            StreamObserver<ReopenContainerLogResponse> observer) {
        Calls.answer("ReopenContainerLog", observer, () -> {
            containerLifecycle.reopenLog(request.getContainerId());
            return ReopenContainerLogResponse.getDefaultInstance();
        });
    }

    @Override
    public void execSync(ExecSyncRequest request, StreamObserver<ExecSyncResponse> observer) {
        CompletableFuture<Boolean> callerGone = new CompletableFuture<>();
        Context.current().addListener(context -> callerGone.complete(true), Runnable::run);
        Calls.answer("ExecSync", observer, () -> {
            if (request.getTimeout() < 0) {
                throw invalid("timeout " + request.getTimeout() + " is negative");
            }
            return containerLifecycle.execSync(request.getContainerId(), request.getCmdList(),
                    seconds(request.getTimeout()), callerGone);
        });
    }

    @Override
    public void exec(ExecRequest request, StreamObserver<ExecResponse> observer) {
        Calls.answer("Exec", observer,
                () -> ExecResponse.newBuilder().setUrl(streaming.exec(request)).build());
    }

    @Override
    public void attach(AttachRequest request, StreamObserver<AttachResponse> observer) {
        Calls.answer("Attach", observer, () -> AttachResponse.newBuilder().setUrl(streaming.attach(request))
                .build());
    }

    @Override
    public void portForward(PortForwardRequest request, StreamObserver<PortForwardResponse> observer) {
        Calls.answer("PortForward", observer, () -> PortForwardResponse.newBuilder()
                .setUrl(streaming.portForward(request)).build());
    }

    @Override
    public void checkpointContainer(CheckpointContainerRequest request,
            StreamObserver<CheckpointContainerResponse> observer) {
        TimeLimit limit = limit(request.getTimeout());
        Calls.answer("CheckpointContainer", observer, () -> {
            if (request.getTimeout() < 0) {
                throw invalid("timeout " + request.getTimeout() + " is negative");
            }
            containerLifecycle.checkpoint(request.getContainerId(), request.getLocation(), limit);
            return CheckpointContainerResponse.getDefaultInstance();
        });
    }

    @Override
    public void checkpointPod(CheckpointPodRequest request, StreamObserver<CheckpointPodResponse> observer) {
        TimeLimit limit = limit(0);
        Calls.answer("CheckpointPod", observer, () -> {
            pods.checkpoint(request, limit);
            return CheckpointPodResponse.getDefaultInstance();
        });
    }

    @Override
    public void restorePod(RestorePodRequest request, StreamObserver<RestorePodResponse> observer) {
        Calls.answer("RestorePod", observer, () -> pods.restore(request));
    }

    /** The shorter of the request's own time, where it has one, and of what the caller waits. */
    private static TimeLimit limit(long seconds) {
        Duration time = seconds > 0 ? seconds(seconds) : CHECKPOINT_LIMIT;
        @Nullable
        Deadline deadline = Context.current().getDeadline();
        if (deadline != null) {
            Duration waits = Duration.ofNanos(Math.max(0, deadline.timeRemaining(TimeUnit.NANOSECONDS)));
            time = waits.compareTo(time) < 0 ? waits : time;
        }
        return TimeLimit.of(time);
    }

    @Override
    public void containerStats(ContainerStatsRequest request,
            StreamObserver<ContainerStatsResponse> observer) {
        Calls.answer("ContainerStats", observer, () -> stats.container(request));
    }

    @Override
    public void listContainerStats(ListContainerStatsRequest request,
            StreamObserver<ListContainerStatsResponse> observer) {
        Calls.answer("ListContainerStats", observer, () -> stats.containers(request));
    }

    @Override
    public void streamContainerStats(StreamContainerStatsRequest request,
            StreamObserver<StreamContainerStatsResponse> observer) {
        Streams.list("StreamContainerStats", observer, () -> stats.containers(request.getFilter()),
                items -> StreamContainerStatsResponse.newBuilder().addAllContainerStats(items).build());
    }

    @Override
    public void podSandboxStats(PodSandboxStatsRequest request,
            StreamObserver<PodSandboxStatsResponse> observer) {
        Calls.answer("PodSandboxStats", observer, () -> stats.pod(request));
    }

    @Override
    public void listPodSandboxStats(ListPodSandboxStatsRequest request,
            StreamObserver<ListPodSandboxStatsResponse> observer) {
        Calls.answer("ListPodSandboxStats", observer, () -> stats.pods(request));
    }

    @Override
    public void streamPodSandboxStats(StreamPodSandboxStatsRequest request,
            StreamObserver<StreamPodSandboxStatsResponse> observer) {
        Streams.list("StreamPodSandboxStats", observer, () -> stats.pods(request.getFilter()),
                items -> StreamPodSandboxStatsResponse.newBuilder().addAllPodSandboxStats(items).build());
    }

    @Override
    public void listMetricDescriptors(ListMetricDescriptorsRequest request,
            StreamObserver<ListMetricDescriptorsResponse> observer) {
        Calls.answer("ListMetricDescriptors", observer, () -> stats.metricDescriptors());
    }

    @Override
    public void listPodSandboxMetrics(ListPodSandboxMetricsRequest request,
            StreamObserver<ListPodSandboxMetricsResponse> observer) {
        Calls.answer("ListPodSandboxMetrics", observer, () -> stats.metrics());
    }

    @Override
    public void streamPodSandboxMetrics(StreamPodSandboxMetricsRequest request,
            StreamObserver<StreamPodSandboxMetricsResponse> observer) {
        Streams.list("StreamPodSandboxMetrics", observer, () -> stats.podMetrics(),
                items -> StreamPodSandboxMetricsResponse.newBuilder().addAllPodSandboxMetrics(items).build());
    }

    @Override
    public void getContainerEvents(GetEventsRequest request,
            StreamObserver<ContainerEventResponse> observer) {
        Streams.events("GetContainerEvents", observer, events, this::message);
    }

    private ContainerEventResponse message(EventHub.Event event) {
        ContainerEventResponse.Builder message = ContainerEventResponse.newBuilder()
                .setContainerId(event.id())
                .setContainerEventType(event.type()).setCreatedAt(Times.nanos(event.at()));
        sandboxes.find(event.sandboxId())
                .ifPresent(sandbox -> message.setPodSandboxStatus(SandboxMessages.status(sandbox.record())));
        return message.addAllContainersStatuses(containerStatuses(event.sandboxId())).build();
    }

    private List<ContainerStatus> containerStatuses(String sandboxId) {
        return containers.ofSandbox(sandboxId).stream()
                .map(container -> ContainerMessages.status(container.record())).toList();
    }

    private static Duration seconds(long seconds) {
        return Duration.ofSeconds(Math.min(seconds, MAX_SECONDS));
    }

    private static LifecycleException invalid(String message) {
        return new LifecycleException(LifecycleException.Kind.INVALID, message);
    }
}
