package io.berth.runtime.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerFilter;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxFilter;
import io.berth.cri.v1.PodSandboxState;
import io.berth.cri.v1.PodSandboxStateValue;
import io.berth.cri.v1.PodSandboxStatus;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PodLifecycleTest {
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
    }

    @AfterEach
    void close() {
        node.holding.values().forEach(CountDownLatch::countDown);
        services.close();
    }

    @Test
    void aPodRunsStopsAndIsRemovedWithoutATrace() {
        String id = cri.run(Cri.pod("web"));
        PodSandboxStatus ready = cri.podStatus(id);
        assertThat(ready.getState()).isEqualTo(PodSandboxState.SANDBOX_READY);
        assertThat(ready.getNetwork().getIp()).isEqualTo("10.1.0.2");
        assertThat(ready.getNetwork().getAdditionalIps(0).getIp()).isEqualTo("fd00::2");

        cri.stopPod(id);
        assertThat(cri.podStatus(id).getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        assertThat(cri.podStatus(id).getNetwork().getIp()).isEmpty();
        assertThat(node.existing).isEmpty();

        cri.removePod(id);
        assertStatus(() -> cri.podStatus(id), Status.Code.NOT_FOUND, id);
    }

    @Test
    void stopAndRemoveSucceedTwiceAndForWhatIsAbsent() {
        String id = cri.run(Cri.pod("web"));
        cri.stopPod(id);
        cri.stopPod(id);
        cri.removePod(id);
        cri.removePod(id);
        cri.stopPod("0123abcd");
        assertThat(node.steps.stream().filter("cni.del"::equals)).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"cgroup.create", "environment.create", "cni.add", "environment.networkAttached"})
    void aStepThatFailsLeavesNothing(String step) {
        node.failing.add(step);
        assertThatThrownBy(() -> cri.run(Cri.pod("web"))).hasMessageContaining(step);
        assertThat(node.existing).isEmpty();
        assertThat(cri.pods(PodSandboxFilter.getDefaultInstance())).isEmpty();

        node.failing.clear();
        assertThat(cri.podStatus(cri.run(Cri.pod("web"))).getState())
                .isEqualTo(PodSandboxState.SANDBOX_READY);
    }

    @Test
    void aSharedPidNamespaceHasAProcessThatEndsWithTheSandbox() {
        String id = cri.run(Cri.sharedPidPod("web"));
        long pid = ProcessHandle.current().children().map(ProcessHandle::pid).max(Long::compare)
                .orElseThrow();
        cri.stopPod(id);
        assertThat(ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false)).isFalse();
    }

    @Test
    void aPauseProcessThatFailsUndoesTheNetwork() {
        node.failing.add("shim.pause");
        assertThatThrownBy(() -> cri.run(Cri.sharedPidPod("web"))).hasMessageContaining("shim.pause");
        assertThat(node.existing).isEmpty();
    }

    @Test
    void whatCannotBeUndoneIsListedForItsOwnerToRemove() {
        node.failing.add("environment.networkAttached");
        node.failing.add("cni.del");
        assertThatThrownBy(() -> cri.run(Cri.pod("web"))).hasMessageContaining("networkAttached");

        String left = cri.pods(PodSandboxFilter.getDefaultInstance()).getFirst().getId();
        assertThat(cri.podStatus(left).getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        assertThatThrownBy(() -> cri.removePod(left)).hasMessageContaining("cni.del");

        node.failing.clear();
        cri.removePod(left);
        assertThat(node.existing).isEmpty();
        assertThat(cri.pods(PodSandboxFilter.getDefaultInstance())).isEmpty();
    }

    @Test
    void fiftyEqualRequestsMakeOneSandbox() throws Exception {
        CountDownLatch cni = node.hold("cni.add");
        Set<String> ids = new HashSet<>();
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<String>> calls = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                calls.add(callers.submit(() -> cri.run(Cri.pod("web"))));
            }
            cni.countDown();
            for (Future<String> call : calls) {
                ids.add(call.get());
            }
        }
        assertThat(ids).hasSize(1);
        assertThat(node.steps.stream().filter("cni.add"::equals)).hasSize(1);
    }

    @Test
    void aHungPodHoldsBackNoOther() throws Exception {
        CountDownLatch cni = node.hold("cni.add");
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<String> slow = callers.submit(() -> cri.run(Cri.pod("slow")));
            while (!node.steps.contains("cni.add")) {
                Thread.onSpinWait();
            }
            node.holding.clear();
            String quick = cri.run(Cri.pod("quick"));
            assertThat(cri.pods(PodSandboxFilter.getDefaultInstance())).hasSize(1);
            cri.removePod(quick);
            cni.countDown();
            assertThat(slow.get()).isNotEmpty();
        }
    }

    @Test
    void anotherConfigurationUnderTheSameNameIsRefusedUntilTheFirstIsStopped() {
        String first = cri.run(Cri.pod("web"));
        PodSandboxConfig other = Cri.pod("web").toBuilder().setHostname("other").build();
        assertStatus(() -> cri.run(other), Status.Code.ALREADY_EXISTS, first);
        cri.stopPod(first);
        assertThat(cri.run(other)).isNotEqualTo(first);
    }

    @Test
    void stoppingAPodKillsItsContainersAndRemovingItRemovesThem() {
        String pod = cri.run(Cri.pod("web"));
        String running = cri.create(pod, Cri.container("a"));
        cri.start(running);
        String created = cri.create(pod, Cri.container("b"));
        cri.stopPod(pod);
        assertThat(cri.status(running).getExitCode()).isEqualTo(137);
        assertThat(cri.status(created).getExitCode()).isEqualTo(137);
        cri.removePod(pod);
        assertThat(cri.containers(ContainerFilter.getDefaultInstance())).isEmpty();
        assertThat(node.existing).isEmpty();
    }

    @Test
    void listsFilterByIdPrefixStateAndLabels() {
        String web = cri.run(Cri.pod("web"));
        String db = cri.run(Cri.pod("db"));
        cri.stopPod(db);
        assertThat(ids(PodSandboxFilter.newBuilder().setId(web.substring(0, 13)))).containsExactly(web);
        assertThat(ids(PodSandboxFilter.newBuilder().setState(
                PodSandboxStateValue.newBuilder().setState(PodSandboxState.SANDBOX_NOTREADY))))
                .containsExactly(db);
        assertThat(ids(PodSandboxFilter.newBuilder().putLabelSelector("app", "web"))).containsExactly(web);
        assertThat(ids(PodSandboxFilter.newBuilder().putLabelSelector("app", "other"))).isEmpty();
        assertThat(cri.podStatus(web.substring(0, 13)).getId()).isEqualTo(web);
    }

    @Test
    void badRequestsNameTheField() {
        assertStatus(() -> cri.run(PodSandboxConfig.getDefaultInstance()), Status.Code.INVALID_ARGUMENT,
                "metadata.name");
        assertStatus(() -> cri.run(Cri.pod("web").toBuilder().setLogDirectory("/var/log/../../etc").build()),
                Status.Code.INVALID_ARGUMENT, "log_directory");
        PodSandboxConfig.Builder rootless = Cri.pod("web").toBuilder();
        rootless.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder()
                .getUsernsOptionsBuilder()
                .setMode(io.berth.cri.v1.NamespaceMode.POD)
                .addUids(io.berth.cri.v1.IDMapping.newBuilder().setContainerId(1).setHostId(1000)
                        .setLength(10));
        assertStatus(() -> cri.run(rootless.build()), Status.Code.INVALID_ARGUMENT, "userns_options.uids");
        assertStatus(() -> Cri.call(cri.service()::runPodSandbox,
                io.berth.cri.v1.RunPodSandboxRequest.newBuilder().setConfig(Cri.pod("web"))
                        .setRuntimeHandler("kata").build()),
                Status.Code.INVALID_ARGUMENT, "configured are [crun, runc]");
    }

    private List<String> ids(PodSandboxFilter.Builder filter) {
        return cri.pods(filter.build()).stream().map(io.berth.cri.v1.PodSandbox::getId).toList();
    }

    static void assertStatus(org.assertj.core.api.ThrowableAssert.ThrowingCallable call, Status.Code code,
            String text) {
        assertThatThrownBy(call).isInstanceOfSatisfying(StatusRuntimeException.class, error -> {
            assertThat(error.getStatus().getCode()).isEqualTo(code);
            assertThat(error.getStatus().getDescription()).contains(text);
        });
    }
}
