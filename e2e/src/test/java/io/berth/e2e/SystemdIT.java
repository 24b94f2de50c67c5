package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.CgroupDriver;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxState;
import io.berth.cri.v1.RuntimeConfigRequest;
import io.berth.cri.v1.UpdateContainerResourcesRequest;
import io.berth.cri.v1.UpdatePodSandboxResourcesRequest;
import io.berth.cri.v1.VersionRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.BerthUnit;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** What systemd as PID 1 brings: the daemon is its unit, pods are its slices and containers its scopes. */
@NeedsFeature({NodeFeature.SYSTEMD, NodeFeature.CGROUP_V2})
@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class SystemdIT {
    @Container
    static final Node NODE = Node.withUnit("cgroup_driver = \"auto\"");

    private final String handler;

    SystemdIT(String handler) {
        this.handler = handler;
    }

    private static final Path CGROUPS = Path.of("/sys/fs/cgroup");
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final long MIB = 1 << 20;

    @Test
    void theDriverIsSystemdsWithoutASetting() {
        assertThat(NODE.cri().runtime().runtimeConfig(RuntimeConfigRequest.getDefaultInstance()).getLinux()
                .getCgroupDriver()).isEqualTo(CgroupDriver.SYSTEMD);
    }

    @Test
    void aContainerIsAScopeInThePodsSlice() throws IOException {
        PodHandle pod = pod("scope");
        String scope;
        try (pod) {
            ContainerHandle container = pod.start(sleeper());
            scope = scope(container);
            Path slice = Path.of(pod.config().getLinux().getCgroupParent());

            assertThat(BerthUnit.property(scope, "ActiveState")).isEqualTo("active");
            assertThat(BerthUnit.property(scope, "Slice")).isEqualTo(slice.getFileName().toString());
            assertThat(BerthUnit.property(scope, "ControlGroup")).isEqualTo(slice + "/" + scope);
            assertThat(Files.readString(cgroup(pod, container).resolve("cgroup.events")))
                    .contains("populated 1");
            assertThat(container.stats().getMemory().getWorkingSetBytes().getValue()).isPositive();
        }
        assertThat(BerthUnit.property(scope, "LoadState")).isEqualTo("not-found");
    }

    @Test
    void limitsAreInForceAfterSystemdHasReadItsUnitsAgain() {
        try (PodHandle pod = pod("limits")) {
            ContainerConfig.Builder config = sleeper();
            config.getLinuxBuilder().setResources(LinuxContainerResources.newBuilder()
                    .setMemoryLimitInBytes(64 * MIB).setCpuPeriod(100_000).setCpuQuota(50_000)
                    .setCpuShares(1024).setCpusetCpus("0-1")
                    .putUnified("memory.high", Long.toString(48 * MIB)));
            ContainerHandle container = pod.start(config);
            NODE.cri().runtime().updateContainerResources(UpdateContainerResourcesRequest.newBuilder()
                    .setContainerId(container.id()).setLinux(LinuxContainerResources.newBuilder()
                            .setMemoryLimitInBytes(128 * MIB).setCpuPeriod(100_000).setCpuQuota(20_000)
                            .setCpusetCpus("1").putUnified("memory.high", Long.toString(96 * MIB)))
                    .build());
            Command.output("systemctl", "daemon-reload");
            // A second scope has systemd look through the whole slice.
            pod.start(Configs.container("other", NODE.busybox(), "sleep", "1000"));

            // By its own eyes: crun limits a cgroup that it makes in the scope.
            assertThat(container.sh("cd /sys/fs/cgroup; cat memory.max memory.high cpu.max memory.swap.max")
                    .lines())
                    .containsExactly(Long.toString(128 * MIB), Long.toString(96 * MIB), "20000 100000", "0");
            assertThat(container.stats().getMemory().getAvailableBytes().getValue())
                    .isBetween(64 * MIB, 128 * MIB);
            assertThat(container.sh("cat /sys/fs/cgroup/cpuset.cpus.effective")).isEqualTo("1");
        }
    }

    @Test
    void aContainerKilledForItsMemoryIsReportedAlthoughItsScopeIsGone() {
        try (PodHandle pod = pod("oom")) {
            ContainerConfig.Builder config = Configs.container("hungry", NODE.busybox(), "tail", "/dev/zero");
            config.getLinuxBuilder()
                    .setResources(LinuxContainerResources.newBuilder().setMemoryLimitInBytes(64 * MIB));
            ContainerStatus status = pod.start(config).awaitExit();

            assertThat(status.getExitCode()).isEqualTo(137);
            assertThat(status.getReason()).isEqualTo("OOMKilled");
        }
    }

    /** crictl names no parent. */
    @Test
    void aSliceThatBerthMakesHasThePodsLimits() throws IOException {
        PodSandboxConfig.Builder config = Configs.pod("own", NODE.logs());
        config.getLinuxBuilder().clearCgroupParent().setResources(memory(64)).setOverhead(memory(16));
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            Path slice = CGROUPS.resolve("berth.slice/berth-" + pod.id() + ".slice");
            pod.start(sleeper());
            Command.output("systemctl", "daemon-reload");

            assertThat(Files.readString(slice.resolve("memory.max")).strip())
                    .isEqualTo(Long.toString(80 * MIB));

            NODE.cri().runtime().updatePodSandboxResources(UpdatePodSandboxResourcesRequest.newBuilder()
                    .setPodSandboxId(pod.id()).setResources(memory(128)).build());
            pod.start(Configs.container("other", NODE.busybox(), "sleep", "1000"));

            assertThat(Files.readString(slice.resolve("memory.max")).strip())
                    .isEqualTo(Long.toString(144 * MIB));
        }
    }

    @Test
    void aPodsOwnProcessIsInItsSlice() throws IOException {
        PodSandboxConfig.Builder config = Configs.inSlice(Configs.pod("shared", NODE.logs()));
        config.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder()
                .setPid(NamespaceMode.POD);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerConfig.Builder container = sleeper();
            container.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder()
                    .setPid(NamespaceMode.POD);
            ContainerHandle started = pod.start(container);
            Command.output("systemctl", "daemon-reload");

            assertThat(Files.readAllLines(CGROUPS.resolve(config.getLinux().getCgroupParent().substring(1))
                    .resolve(pod.id()).resolve("cgroup.procs"))).hasSize(1);
            assertThat(started.sh("cat /proc/1/comm")).isEqualTo("berth-shim");
        }
    }

    @Test
    void containersRunAndLogOnWhileTheUnitIsRestarted() {
        try (PodHandle pod = pod("restarted")) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "i=0; while true; do i=$((i+1)); echo $i; usleep 100000; done"));
            container.awaitLog(3);
            ContainerStatus status = container.status();
            long former = NODE.server().pid();
            ((BerthUnit) NODE.server()).restart();
            int lines = container.log().size();

            assertThat(NODE.server().pid()).isNotEqualTo(former);
            assertThat(container.status()).isEqualTo(status);
            assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_READY);
            assertThat(container.sh("echo $(hostname)")).isEqualTo("restarted");
            List<LogLine> log = container.awaitLog(lines + 3);
            assertThat(log).extracting(LogLine::text).isEqualTo(
                    Configs.counted(log.size()));
        }
    }

    @Test
    void aKilledDaemonIsStartedAgainAndContainersRunOn() {
        try (PodHandle pod = pod("killed")) {
            ContainerHandle container = pod.start(sleeper());
            ContainerStatus status = container.status();
            long former = NODE.server().pid();
            NODE.server().kill();
            Await.until("another daemon serves", PATIENCE,
                    () -> NODE.server().pid() != former && NODE.server().pid() != 0 && serves(),
                    serving -> serving);

            assertThat(container.status()).isEqualTo(status);
            assertThat(status.getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        }
    }

    private PodHandle pod(String name) {
        return PodHandle.run(NODE.cri(), Configs.inSlice(Configs.pod(name, NODE.logs())), handler);
    }

    private static ContainerConfig.Builder sleeper() {
        return Configs.container("main", NODE.busybox(), "sleep", "1000");
    }

    private static LinuxContainerResources memory(long mebibytes) {
        return LinuxContainerResources.newBuilder().setMemoryLimitInBytes(mebibytes * MIB).build();
    }

    private static String scope(ContainerHandle container) {
        return "berth-" + container.id() + ".scope";
    }

    private static Path cgroup(PodHandle pod, ContainerHandle container) {
        return CGROUPS.resolve(pod.config().getLinux().getCgroupParent().substring(1))
                .resolve(scope(container));
    }

    private static boolean serves() {
        try {
            NODE.cri().runtime(PATIENCE).version(VersionRequest.getDefaultInstance());
            return true;
        } catch (StatusRuntimeException e) {
            return false;
        }
    }
}
