package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.CreateContainerRequest;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RemoveContainerRequest;
import io.berth.cri.v1.RemovePodSandboxRequest;
import io.berth.cri.v1.RunPodSandboxRequest;
import io.berth.cri.v1.RuntimeServiceGrpc.RuntimeServiceBlockingStub;
import io.berth.cri.v1.StartContainerRequest;
import io.berth.cri.v1.StopContainerRequest;
import io.berth.cri.v1.StopPodSandboxRequest;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.cri.PodLife;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.HeldProgram;
import io.berth.e2e.node.Node;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Callers that give up, and come again with the same request. */
@Testcontainers
final class RetriesIT {
    private static final String HANDLER = "held";
    private static final HeldProgram RUNC = HeldProgram.of("runc", Path.of("/usr/sbin/runc"));
    private static final HeldProgram BRIDGE = HeldProgram.of("bridge", Path.of("/usr/lib/cni/bridge"));

    @Container
    static final Node NODE = new Node(RUNC.asRuntime(HANDLER), BRIDGE.asPlugin());

    private static final int CALLERS = 50;
    private static final Duration SOON = Duration.ofMillis(400);
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int LIVES = Integer.getInteger("e2e.impatient.pods", 12);
    private static final int LIVES_AT_A_TIME = 4;

    @AfterEach
    void nothingIsLeft() {
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void runPodSandboxGivenUpDuringAddIsOnePodForAll() throws Exception {
        var config = Configs.pod("run", NODE.logs());
        PodHandle.run(NODE.cri(), config, HANDLER).close();
        config.getMetadataBuilder().setUid("again");
        var request = RunPodSandboxRequest.newBuilder().setConfig(config).setRuntimeHandler(HANDLER).build();
        long before = BRIDGE.calls("ADD");
        try (var _ = BRIDGE.hold("ADD")) {
            assertAllGiveUp(stub -> stub.runPodSandbox(request));
        }
        Set<String> ids = all(stub -> stub.runPodSandbox(request).getPodSandboxId());

        assertThat(ids).hasSize(1);
        assertThat(BRIDGE.calls("ADD") - before).isEqualTo(1);
        assertThat(NODE.cri().runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                .getItemsList()).hasSize(1);
        endPod(ids.iterator().next());
    }

    @Test
    void runPodSandboxThatFailsForAllIsACleanNewTry() throws Exception {
        var request = RunPodSandboxRequest.newBuilder().setConfig(Configs.pod("run-fails", NODE.logs()))
                .setRuntimeHandler(HANDLER).build();
        try (var _ = BRIDGE.fail("ADD")) {
            assertAllFail(stub -> stub.runPodSandbox(request), "made to fail");
        }
        Set<String> ids = all(stub -> stub.runPodSandbox(request).getPodSandboxId());

        assertThat(ids).hasSize(1);
        endPod(ids.iterator().next());
    }

    @Test
    void createContainerGivenUpDuringCreateIsOneContainerForAll() throws Exception {
        try (PodHandle pod = NODE.pod("create", HANDLER)) {
            var request = CreateContainerRequest.newBuilder().setPodSandboxId(pod.id())
                    .setSandboxConfig(pod.config())
                    .setConfig(Configs.container("main", NODE.busybox(), "sleep", "1000")).build();
            long before = RUNC.calls("create");
            try (var _ = RUNC.hold("create")) {
                assertAllGiveUp(stub -> stub.createContainer(request));
            }
            Set<String> ids = all(stub -> stub.createContainer(request).getContainerId());

            assertThat(ids).hasSize(1);
            assertThat(RUNC.calls("create") - before).isEqualTo(1);
            assertThat(NODE.cri().runtime().listContainers(ListContainersRequest.getDefaultInstance())
                    .getContainersList()).hasSize(1);
        }
    }

    @Test
    void createContainerThatFailsForAllIsACleanNewTry() throws Exception {
        try (PodHandle pod = NODE.pod("create-fails", HANDLER)) {
            var request = CreateContainerRequest.newBuilder().setPodSandboxId(pod.id())
                    .setSandboxConfig(pod.config())
                    .setConfig(Configs.container("main", NODE.busybox(), "sleep", "1000")).build();
            try (var _ = RUNC.fail("create")) {
                assertAllFail(stub -> stub.createContainer(request), "create container");
            }

            assertThat(all(stub -> stub.createContainer(request).getContainerId())).hasSize(1);
        }
    }

    @Test
    void startContainerGivenUpRunsOnceAndSucceedsEvenWhenTheContainerHasEnded() throws Exception {
        try (PodHandle pod = NODE.pod("start", HANDLER)) {
            ContainerHandle container = pod
                    .create(Configs.container("main", NODE.busybox(), "echo", "I ran"));
            var request = StartContainerRequest.newBuilder().setContainerId(container.id()).build();
            try (var _ = RUNC.hold("start")) {
                assertAllGiveUpDuring("start", stub -> stub.startContainer(request));
            }
            container.awaitExit();

            assertThat(all(stub -> stub.startContainer(request))).hasSize(1);
            assertThat(container.log()).extracting(LogLine::text).containsExactly("I ran");
        }
    }

    @Test
    void stopContainerGivenUpIsOvertakenByAnImpatientRetry() {
        try (PodHandle pod = NODE.pod("stop", HANDLER)) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "trap '' TERM; while :; do usleep 10000; done"));
            assertThatThrownBy(() -> NODE.cri().runtime(SOON).stopContainer(StopContainerRequest.newBuilder()
                    .setContainerId(container.id()).setTimeout(1000).build()))
                    .hasMessageStartingWith("DEADLINE_EXCEEDED");
            container.stop(0);

            assertThat(container.status().getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
            assertThat(container.status().getExitCode()).isEqualTo(137);
        }
    }

    @Test
    void removeContainerGivenUpDuringDeleteSucceedsForAll() throws Exception {
        try (PodHandle pod = NODE.pod("remove", HANDLER)) {
            ContainerHandle container = pod
                    .start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
            var request = RemoveContainerRequest.newBuilder().setContainerId(container.id()).build();
            try (var _ = RUNC.hold("delete")) {
                assertAllGiveUpDuring("delete", stub -> stub.removeContainer(request));
                // Nobody waited for it, and it was done all the same.
                container.awaitExit();
            }
            all(stub -> stub.removeContainer(request));

            assertThat(NODE.cri().runtime().listContainers(ListContainersRequest.getDefaultInstance())
                    .getContainersList()).isEmpty();
        }
    }

    @Test
    void stopAndRemovePodSandboxGivenUpDuringDelSucceedForAll() throws Exception {
        PodHandle pod = NODE.pod("del", HANDLER);
        pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
        var stop = StopPodSandboxRequest.newBuilder().setPodSandboxId(pod.id()).build();
        var remove = RemovePodSandboxRequest.newBuilder().setPodSandboxId(pod.id()).build();
        try (var _ = BRIDGE.hold("DEL")) {
            assertAllGiveUp(stub -> stub.stopPodSandbox(stop));
            assertAllGiveUp(stub -> stub.removePodSandbox(remove));
        }
        all(stub -> stub.stopPodSandbox(stop));
        all(stub -> stub.removePodSandbox(remove));

        assertThat(NODE.cri().runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                .getItemsList()).isEmpty();
    }

    @Test
    void aDelThatFailsKeepsThePodUntilItSucceeds() {
        PodHandle pod = NODE.pod("del-fails", HANDLER);
        try (var _ = BRIDGE.fail("DEL")) {
            assertThatThrownBy(pod::stop).hasMessageContaining("made to fail");
            assertThatThrownBy(pod::remove).hasMessageContaining("made to fail");
            assertThat(NODE.network().leaseOf(pod.ip())).exists();
        }
        pod.close();
    }

    @Test
    void pullImageGivenUpIsFinishedForAll() throws Exception {
        var random = new Random(7);
        byte[] content = new byte[1 << 20];
        random.nextBytes(content);
        Layer extra = Layer.builder().file("content", 0644, content).build(Compression.GZIP);
        String reference = NODE.registry().push("retries/pull", "1",
                TestImage.builder().layer(Busybox.layer()).layer(extra).build());
        var request = PullImageRequest.newBuilder().setImage(ImageSpec.newBuilder().setImage(reference))
                .build();
        NODE.registry().freeze();
        try {
            eachCaller(i -> {
                assertThatThrownBy(() -> NODE.cri().images().withDeadlineAfter(patience()).pullImage(request))
                        .isInstanceOf(StatusRuntimeException.class)
                        .hasMessageStartingWith("DEADLINE_EXCEEDED");
                return "";
            });
        } finally {
            NODE.registry().resume();
        }

        assertThat(eachCaller(i -> NODE.cri().images().pullImage(request).getImageRef())).hasSize(1);
    }

    @Test
    void aCallerWithoutPatienceGetsEveryPodThroughItsWholeLife() throws Exception {
        List<Callable<Boolean>> lives = new ArrayList<>();
        for (int i = 0; i < LIVES; i++) {
            String name = "impatient-" + i;
            Duration patience = Duration.ofMillis(2 + ThreadLocalRandom.current().nextInt(60));
            lives.add(() -> {
                new PodLife(NODE.cri(), Configs.pod(name, NODE.logs()).build(),
                        Configs.container("main", NODE.busybox(), "sleep", "1000").build(), HANDLER, patience,
                        LIMIT).lead();
                return true;
            });
        }
        try (var threads = Executors.newFixedThreadPool(LIVES_AT_A_TIME)) {
            for (Future<Boolean> life : threads.invokeAll(lives)) {
                assertThat(life.get()).isTrue();
            }
        }
    }

    private static void endPod(String id) {
        NODE.cri().runtime().stopPodSandbox(StopPodSandboxRequest.newBuilder().setPodSandboxId(id).build());
        NODE.cri().runtime()
                .removePodSandbox(RemovePodSandboxRequest.newBuilder().setPodSandboxId(id).build());
    }

    /** Fifty callers at once, none of which waits long enough; on a busy machine, not one may have reached the daemon. */
    private static void assertAllGiveUp(Function<RuntimeServiceBlockingStub, ?> call) throws Exception {
        eachCaller(i -> {
            assertThatThrownBy(() -> call.apply(NODE.cri().runtime(patience())))
                    .isInstanceOf(StatusRuntimeException.class).hasMessageStartingWith("DEADLINE_EXCEEDED");
            return "";
        });
    }

    /** As {@link #assertAllGiveUp}, again until one of them had the OCI runtime begin with {@code command}. */
    private static void assertAllGiveUpDuring(String command, Function<RuntimeServiceBlockingStub, ?> call)
            throws Exception {
        long before = RUNC.calls(command);
        do {
            assertAllGiveUp(call);
        } while (RUNC.calls(command) == before);
    }

    /** Fifty callers at once that all hear of the failure. */
    private static void assertAllFail(Function<RuntimeServiceBlockingStub, ?> call, String why)
            throws Exception {
        eachCaller(i -> {
            assertThatThrownBy(() -> call.apply(NODE.cri().runtime()))
                    .isInstanceOfSatisfying(StatusRuntimeException.class, e -> {
                        assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INTERNAL);
                        assertThat(e).hasMessageContaining(why);
                    });
            return "";
        });
    }

    /** Fifty callers at once, which all succeed; the different answers. */
    private static <T> Set<T> all(Function<RuntimeServiceBlockingStub, T> call) throws Exception {
        return eachCaller(i -> call.apply(NODE.cri().runtime(LIMIT)));
    }

    private interface Caller<T> {
        T call(int number) throws Exception;
    }

    private static <T> Set<T> eachCaller(Caller<T> caller) throws Exception {
        List<Callable<T>> callers = new ArrayList<>();
        for (int i = 0; i < CALLERS; i++) {
            int number = i;
            callers.add(() -> caller.call(number));
        }
        var answers = new HashSet<T>();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Future<T> answer : threads.invokeAll(callers)) {
                answers.add(answer.get());
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Error failure) {
                throw failure;
            }
            throw e;
        }
        return answers;
    }

    private static Duration patience() {
        return Duration.ofMillis(1 + ThreadLocalRandom.current().nextInt((int) SOON.toMillis()));
    }
}
