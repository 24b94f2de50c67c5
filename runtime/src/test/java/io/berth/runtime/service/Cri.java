package io.berth.runtime.service;

import io.berth.cri.v1.*;
import io.grpc.BindableService;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;

/** Calls the services as a client would, without the wire. */
final class Cri {
    private final RuntimeServiceGrpc.RuntimeServiceImplBase runtime;

    Cri(CriServices services) {
        BindableService first = services.services().getFirst();
        this.runtime = (RuntimeServiceGrpc.RuntimeServiceImplBase) first;
    }

    static PodSandboxConfig pod(String name) {
        return PodSandboxConfig.newBuilder()
                .setMetadata(PodSandboxMetadata.newBuilder().setName(name).setNamespace("ns")
                        .setUid("uid-" + name))
                .putLabels("app", name)
                .setLinux(LinuxPodSandboxConfig.newBuilder()
                        .setSecurityContext(LinuxSandboxSecurityContext.newBuilder()
                                .setNamespaceOptions(
                                        NamespaceOption.newBuilder().setPid(NamespaceMode.CONTAINER))))
                .build();
    }

    static PodSandboxConfig sharedPidPod(String name) {
        PodSandboxConfig.Builder config = pod(name).toBuilder();
        config.getLinuxBuilder().getSecurityContextBuilder()
                .setNamespaceOptions(NamespaceOption.newBuilder().setPid(NamespaceMode.POD));
        return config.build();
    }

    static ContainerConfig container(String name) {
        return ContainerConfig.newBuilder().setMetadata(ContainerMetadata.newBuilder().setName(name))
                .setImage(ImageSpec.newBuilder().setImage(FakeNode.IMAGE)).build();
    }

    String run(PodSandboxConfig config) {
        return call(runtime::runPodSandbox, RunPodSandboxRequest.newBuilder().setConfig(config).build())
                .getPodSandboxId();
    }

    String create(String sandbox, ContainerConfig config) {
        return call(runtime::createContainer,
                CreateContainerRequest.newBuilder().setPodSandboxId(sandbox).setConfig(config).build())
                .getContainerId();
    }

    void start(String container) {
        call(runtime::startContainer, StartContainerRequest.newBuilder().setContainerId(container).build());
    }

    void stop(String container, long seconds) {
        call(runtime::stopContainer,
                StopContainerRequest.newBuilder().setContainerId(container).setTimeout(seconds).build());
    }

    void remove(String container) {
        call(runtime::removeContainer, RemoveContainerRequest.newBuilder().setContainerId(container).build());
    }

    void stopPod(String sandbox) {
        call(runtime::stopPodSandbox, StopPodSandboxRequest.newBuilder().setPodSandboxId(sandbox).build());
    }

    void removePod(String sandbox) {
        call(runtime::removePodSandbox,
                RemovePodSandboxRequest.newBuilder().setPodSandboxId(sandbox).build());
    }

    ContainerStatus status(String container) {
        return call(runtime::containerStatus,
                ContainerStatusRequest.newBuilder().setContainerId(container).build()).getStatus();
    }

    PodSandboxStatus podStatus(String sandbox) {
        return call(runtime::podSandboxStatus,
                PodSandboxStatusRequest.newBuilder().setPodSandboxId(sandbox).build()).getStatus();
    }

    List<PodSandbox> pods(PodSandboxFilter filter) {
        return call(runtime::listPodSandbox, ListPodSandboxRequest.newBuilder().setFilter(filter).build())
                .getItemsList();
    }

    List<Container> containers(ContainerFilter filter) {
        return call(runtime::listContainers, ListContainersRequest.newBuilder().setFilter(filter).build())
                .getContainersList();
    }

    ExecSyncResponse exec(String container, long timeout) {
        return call(runtime::execSync, ExecSyncRequest.newBuilder().setContainerId(container).addCmd("/bin/x")
                .setTimeout(timeout).build());
    }

    RuntimeServiceGrpc.RuntimeServiceImplBase service() {
        return runtime;
    }

    /** The answer; throws the error that the client would see. */
    static <Q, A> A call(BiConsumer<Q, StreamObserver<A>> rpc, Q request) {
        CompletableFuture<A> answer = new CompletableFuture<>();
        rpc.accept(request, new StreamObserver<>() {
            @Override
            public void onNext(A value) {
                answer.complete(value);
            }

            @Override
            public void onError(Throwable error) {
                answer.completeExceptionally(error);
            }

            @Override
            public void onCompleted() {}
        });
        try {
            return answer.orTimeout(30, TimeUnit.SECONDS).join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw e;
        }
    }
}
