package io.berth.runtime.service;

import static io.berth.runtime.service.PodLifecycleTest.assertStatus;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.Container;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerFilter;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStateValue;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ExecSyncResponse;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.Signal;
import io.berth.cri.v1.UpdateContainerResourcesRequest;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class ContainerLifecycleTest {
    @TempDir
    Path directory;

    private FakeNode node;
    private CriServices services;
    private Cri cri;
    private String pod;

    @BeforeEach
    void open() throws IOException {
        node = new FakeNode(directory);
        services = node.open();
        cri = new Cri(services);
        pod = cri.run(Cri.pod("web"));
    }

    @AfterEach
    void close() {
        node.holding.values().forEach(CountDownLatch::countDown);
        services.close();
    }

    @Test
    void aContainerIsCreatedStartedEndsAndIsRemoved() {
        String id = cri.create(pod, Cri.container("app"));
        ContainerStatus created = cri.status(id);
        assertThat(created.getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
        assertThat(created.getStartedAt()).isZero();
        assertThat(created.getImageRef()).startsWith("registry.test/app@sha256:");
        assertThat(created.getStopSignal()).isEqualTo(Signal.SIGNAL_SIGUSR1);

        cri.start(id);
        assertThat(cri.status(id).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);

        shim(id).end(3, false);
        ContainerStatus exited = await(id, status -> status.getState() == ContainerState.CONTAINER_EXITED);
        assertThat(exited.getExitCode()).isEqualTo(3);
        assertThat(exited.getReason()).isEqualTo("Error");
        assertThat(exited.getFinishedAt()).isGreaterThanOrEqualTo(exited.getStartedAt());

        cri.remove(id);
        assertStatus(() -> cri.status(id), Status.Code.NOT_FOUND, id);
        assertThat(node.existing).noneMatch(name -> name.contains(id));
    }

    @ParameterizedTest
    @ValueSource(strings = {"snapshot.prepare", "snapshot.mount", "shim.create"})
    void aStepThatFailsLeavesNothing(String step) {
        node.failing.add(step);
        Set<String> before = Set.copyOf(node.existing);
        assertThatThrownBy(() -> cri.create(pod, Cri.container("app"))).hasMessageContaining(step);
        assertThat(node.existing).isEqualTo(before);
        assertThat(cri.containers(ContainerFilter.getDefaultInstance())).isEmpty();
        assertThat(directory.resolve("state/containers")).isEmptyDirectory();

        node.failing.clear();
        assertThat(cri.create(pod, Cri.container("app"))).isNotEmpty();
    }

    @Test
    void aStartThatFailsEndsTheContainerWithTheReason() {
        String id = cri.create(pod, Cri.container("app"));
        node.failing.add("shim.start");
        assertThatThrownBy(() -> cri.start(id)).hasMessageContaining("shim.start");
        ContainerStatus status = cri.status(id);
        assertThat(status.getReason()).isEqualTo("StartError");
        assertThat(status.getExitCode()).isEqualTo(128);
        assertThat(status.getMessage()).contains("shim.start");
        assertThat(node.existing).doesNotContain("process:" + id);
        cri.remove(id);
    }

    @Test
    void startingAgainIsSuccessAndRunsNothingTwice() {
        String id = started("app");
        cri.start(id);
        cri.stop(id, 0);
        cri.start(id);
        assertThat(cri.status(id).getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
    }

    @Test
    void fiftyEqualRequestsMakeOneContainer() throws Exception {
        CountDownLatch create = node.hold("shim.create");
        Set<String> ids = new HashSet<>();
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<String>> calls = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                calls.add(callers.submit(() -> cri.create(pod, Cri.container("app"))));
            }
            create.countDown();
            for (Future<String> call : calls) {
                ids.add(call.get());
            }
        }
        assertThat(ids).hasSize(1);
        assertThat(node.steps.stream().filter("shim.create"::equals)).hasSize(1);
    }

    @Test
    void stopSendsTheImagesSignalThenKillsAfterTheGracePeriod() {
        String id = started("app");
        node.ignored.add(10);
        cri.stop(id, 1);
        assertThat(shim(id).signals).containsExactly(10, 9);
        assertThat(cri.status(id).getExitCode()).isEqualTo(137);
    }

    @Test
    void aShorterGracePeriodOvertakesALongerOne() throws Exception {
        String id = started("app");
        node.ignored.add(10);
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<?> patient = callers.submit(() -> cri.stop(id, 3600));
            while (shim(id).signals.isEmpty()) {
                Thread.onSpinWait();
            }
            cri.stop(id, 0);
            patient.get();
        }
        assertThat(shim(id).signals).containsExactly(10, 9);
    }

    @Test
    void stopAndRemoveSucceedTwiceAndForWhatIsAbsent() {
        String id = started("app");
        cri.stop(id, 5);
        cri.stop(id, 5);
        cri.remove(id);
        cri.remove(id);
        cri.stop("0123abcd", 5);
        cri.remove("0123abcd");
    }

    @Test
    void removingARunningContainerKillsItFirst() {
        String id = started("app");
        cri.remove(id);
        assertThat(shim(id).signals).containsExactly(9);
        assertThat(node.existing).noneMatch(name -> name.contains(id));
    }

    @Test
    void anOutOfMemoryKillIsTheReason() {
        String id = started("app");
        shim(id).end(137, true);
        assertThat(await(id, status -> status.getState() == ContainerState.CONTAINER_EXITED).getReason())
                .isEqualTo("OOMKilled");
    }

    @Test
    void aContainerWhoseShimVanishesIsEndedAndSaysSo() {
        String id = started("app");
        shim(id).vanish();
        ContainerStatus status = await(id, now -> now.getState() == ContainerState.CONTAINER_EXITED);
        assertThat(status.getExitCode()).isEqualTo(255);
        assertThat(status.getMessage()).contains("shim was lost");
        assertThat(node.existing).doesNotContain("process:" + id);
    }

    @Test
    void execGivesOutputAndIsKilledAtItsTimeout() {
        String id = started("app");
        assertStatus(() -> cri.exec(id, 1), Status.Code.DEADLINE_EXCEEDED, "timeout of 1 s");
        assertStatus(() -> cri.exec(id, -1), Status.Code.INVALID_ARGUMENT, "timeout");
        String created = cri.create(pod, Cri.container("other"));
        assertStatus(() -> cri.exec(created, 1), Status.Code.FAILED_PRECONDITION, "not running");
        assertThat(ExecSyncResponse.getDefaultInstance().getExitCode()).isZero();
    }

    @Test
    void updatedResourcesAreInTheStatusAndWhatIsNotSetStays() {
        ContainerConfig.Builder config = Cri.container("app").toBuilder();
        config.getLinuxBuilder().getResourcesBuilder().setCpuShares(100).setMemoryLimitInBytes(1 << 20);
        String id = cri.create(pod, config.build());
        Cri.call(cri.service()::updateContainerResources, UpdateContainerResourcesRequest.newBuilder()
                .setContainerId(id).setLinux(LinuxContainerResources.newBuilder().setCpuShares(200)).build());
        LinuxContainerResources now = cri.status(id).getResources().getLinux();
        assertThat(now.getCpuShares()).isEqualTo(200);
        assertThat(now.getMemoryLimitInBytes()).isEqualTo(1 << 20);
    }

    @Test
    void badRequestsNameTheField() {
        assertStatus(() -> cri.create(pod, ContainerConfig.getDefaultInstance()),
                Status.Code.INVALID_ARGUMENT,
                "metadata.name");
        assertStatus(() -> cri.create("beef", Cri.container("app")), Status.Code.NOT_FOUND, "beef");
        ContainerConfig noImage = Cri.container("app").toBuilder()
                .setImage(ImageSpec.newBuilder().setImage("registry.test/none")).build();
        assertStatus(() -> cri.create(pod, noImage), Status.Code.NOT_FOUND, "pull it first");
    }

    @Test
    void aLogPathCannotLeaveThePodsDirectory() {
        String logged = cri.run(Cri.pod("logged").toBuilder()
                .setLogDirectory(directory.resolve("logs").toString()).build());
        ContainerConfig escaping = Cri.container("app").toBuilder().setLogPath("../../etc/passwd").build();
        assertStatus(() -> cri.create(logged, escaping), Status.Code.INVALID_ARGUMENT, "log_path");
        ContainerConfig inside = Cri.container("app").toBuilder().setLogPath("app/0.log").build();
        String id = cri.create(logged, inside);
        assertThat(cri.status(id).getLogPath()).isEqualTo(directory.resolve("logs/app/0.log").toString());
        assertThat(directory.resolve("logs/app")).isDirectory();
    }

    @Test
    void nothingStartsInASandboxThatIsStopped() {
        cri.stopPod(pod);
        assertStatus(() -> cri.create(pod, Cri.container("app")), Status.Code.FAILED_PRECONDITION,
                "not ready");
    }

    @Test
    void listsFilterByStateSandboxAndLabels() {
        String running = started("a");
        String created = cri.create(pod, Cri.container("b").toBuilder().putLabels("tier", "db").build());
        assertThat(ids(ContainerFilter.newBuilder().setState(
                ContainerStateValue.newBuilder().setState(ContainerState.CONTAINER_RUNNING))))
                .containsExactly(running);
        assertThat(ids(ContainerFilter.newBuilder().putLabelSelector("tier", "db"))).containsExactly(created);
        assertThat(ids(ContainerFilter.newBuilder().setPodSandboxId(pod.substring(0, 12)))).hasSize(2);
        assertThat(ids(ContainerFilter.newBuilder().setPodSandboxId("none"))).isEmpty();
    }

    private List<String> ids(ContainerFilter.Builder filter) {
        return cri.containers(filter.build()).stream().map(Container::getId).toList();
    }

    private String started(String name) {
        String id = cri.create(pod, Cri.container(name));
        cri.start(id);
        return id;
    }

    private FakeNode.FakeShim shim(String id) {
        return java.util.Objects.requireNonNull(node.shims.get(id));
    }

    private ContainerStatus await(String id, Predicate<ContainerStatus> condition) {
        ContainerStatus status = cri.status(id);
        while (!condition.test(status)) {
            Thread.onSpinWait();
            status = cri.status(id);
        }
        return status;
    }
}
