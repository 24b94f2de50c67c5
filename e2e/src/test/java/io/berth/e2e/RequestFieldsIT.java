package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.berth.cri.v1.*;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.testcontainers.junit.jupiter.Testcontainers;

/** No field of a request is passed over in silence: what cannot be obeyed is refused by its whole name. */
@Testcontainers
final class RequestFieldsIT {
    @org.testcontainers.junit.jupiter.Container
    static final Node NODE = new Node();

    /** No constant of any enum of the CRI. */
    private static final int NO_VALUE = 77;

    private record Case<B>(String field, Consumer<B> change) {}

    @TestFactory
    Stream<DynamicTest> aPodThatCannotBeAsAskedIsRefusedByField() {
        return Stream.<Case<PodSandboxConfig.Builder>>of(
                new Case<>("config.metadata.name", pod -> pod.getMetadataBuilder().clearName()),
                new Case<>("config.metadata.uid", pod -> pod.getMetadataBuilder().clearUid()),
                new Case<>("config.metadata.namespace", pod -> pod.getMetadataBuilder().clearNamespace()),
                new Case<>("config.hostname", pod -> pod.setHostname("two words")),
                new Case<>("config.linux.security_context.selinux_options.user",
                        pod -> pod.getLinuxBuilder().getSecurityContextBuilder().getSelinuxOptionsBuilder()
                                .setUser("a:b")),
                new Case<>("config.hostname", pod -> pod.getLinuxBuilder().getSecurityContextBuilder()
                        .getNamespaceOptionsBuilder().setNetwork(NamespaceMode.NODE)),
                new Case<>("config.log_directory", pod -> pod.setLogDirectory("logs")),
                new Case<>("config.dns_config.servers",
                        pod -> pod.getDnsConfigBuilder().addServers("1.1.1.1\nsearch evil")),
                new Case<>("config.dns_config.searches", pod -> pod.getDnsConfigBuilder().addSearches("")),
                new Case<>("config.dns_config.options", pod -> pod.getDnsConfigBuilder().addOptions("a b")),
                new Case<>("config.port_mappings.host_port",
                        pod -> pod.addPortMappingsBuilder().setContainerPort(80).setHostPort(70_000)),
                new Case<>("config.port_mappings.container_port",
                        pod -> pod.addPortMappingsBuilder().setContainerPort(-1)),
                new Case<>("config.port_mappings.host_ip",
                        pod -> pod.addPortMappingsBuilder().setContainerPort(80).setHostIp("localhost")),
                new Case<>("config.port_mappings[0].protocol",
                        pod -> pod.addPortMappingsBuilder().setProtocolValue(NO_VALUE)),
                new Case<>("config.windows", pod -> pod.setWindows(
                        WindowsPodSandboxConfig.getDefaultInstance())),
                new Case<>("config.linux.cgroup_parent",
                        pod -> pod.getLinuxBuilder().setCgroupParent("../../up")),
                new Case<>("config.linux.sysctls", pod -> pod.getLinuxBuilder()
                        .putSysctls("kernel.panic", "1")),
                new Case<>("config.linux.security_context.namespace_options.network",
                        pod -> namespaces(pod).setNetwork(NamespaceMode.CONTAINER)),
                new Case<>("config.linux.security_context.namespace_options.ipc",
                        pod -> namespaces(pod).setIpc(NamespaceMode.TARGET)),
                new Case<>("config.linux.security_context.namespace_options.pid",
                        pod -> namespaces(pod).setPid(NamespaceMode.TARGET)),
                new Case<>("config.linux.security_context.namespace_options.pid",
                        pod -> namespaces(pod).setPidValue(NO_VALUE)),
                new Case<>("config.linux.security_context.namespace_options.target_id",
                        pod -> namespaces(pod).setTargetId("other")))
                .map(each -> dynamicTest(each.field(), () -> {
                    PodSandboxConfig.Builder config = Configs.pod("refused", NODE.logs());
                    each.change().accept(config);
                    assertRefused(() -> NODE.cri().runtime().runPodSandbox(
                            RunPodSandboxRequest.newBuilder().setConfig(config).build()), each.field());
                }));
    }

    @TestFactory
    Stream<DynamicTest> aContainerThatCannotBeAsAskedIsRefusedByField() {
        PodHandle pod = NODE.pod("refusing", "");
        return Stream.<Case<ContainerConfig.Builder>>of(
                new Case<>("config.metadata.name", container -> container.getMetadataBuilder().clearName()),
                new Case<>("config.image.image", container -> container.getImageBuilder().clearImage()),
                new Case<>("config.image.runtime_handler",
                        container -> container.getImageBuilder().setRuntimeHandler("kata")),
                new Case<>("config.command", container -> container.clearCommand().addCommand("")),
                new Case<>("config.working_dir", container -> container.setWorkingDir("tmp")),
                new Case<>("config.envs", container -> container.addEnvs(Configs.env("", "nameless"))),
                new Case<>("config.envs", container -> container.addEnvs(Configs.env("A=B", "c"))),
                new Case<>("config.log_path", container -> container.setLogPath("../../escaped")),
                new Case<>("config.annotations", container -> container
                        .putAnnotations("io.kubernetes.cri.rdt-class", "gold")),
                new Case<>("config.windows", container -> container
                        .setWindows(WindowsContainerConfig.getDefaultInstance())),
                new Case<>("config.stop_signal", container -> container.setStopSignalValue(NO_VALUE)),
                new Case<>("config.mounts", container -> container.addMountsBuilder().setHostPath("/tmp")),
                new Case<>("config.mounts.host_path", container -> container.addMountsBuilder()
                        .setContainerPath("/x").setHostPath("relative")),
                new Case<>("config.mounts[0].propagation", container -> container.addMountsBuilder()
                        .setContainerPath("/x").setHostPath("/tmp").setPropagationValue(NO_VALUE)),
                new Case<>("config.mounts.mount_options", container -> container.addMountsBuilder()
                        .setContainerPath("/x").setHostPath("/tmp").addMountOptions("size=1m")),
                new Case<>("config.mounts.recursive_read_only", container -> container.addMountsBuilder()
                        .setContainerPath("/x").setHostPath("/tmp").setRecursiveReadOnly(true)),
                new Case<>("config.mounts.image_sub_path", container -> container.addMountsBuilder()
                        .setContainerPath("/x").setHostPath("/tmp").setImageSubPath("sub")),
                new Case<>("config.devices.host_path",
                        container -> container.addDevicesBuilder().setHostPath("/not/there")),
                new Case<>("config.devices.permissions", container -> container.addDevicesBuilder()
                        .setHostPath("/dev/null").setPermissions("rwx")),
                new Case<>("config.linux.resources.cpu_shares",
                        container -> resources(container).setCpuShares(-1)),
                new Case<>("config.linux.resources.cpu_period",
                        container -> resources(container).setCpuPeriod(-1)),
                new Case<>("config.linux.resources.cpu_quota",
                        container -> resources(container).setCpuQuota(-2)),
                new Case<>("config.linux.resources.cpuset_cpus",
                        container -> resources(container).setCpusetCpus("all")),
                new Case<>("config.linux.resources.cpuset_mems",
                        container -> resources(container).setCpusetMems("0;1")),
                new Case<>("config.linux.resources.memory_limit_in_bytes",
                        container -> resources(container).setMemoryLimitInBytes(-2)),
                new Case<>("config.linux.resources.memory_swap_limit_in_bytes", container -> resources(
                        container).setMemoryLimitInBytes(64 << 20).setMemorySwapLimitInBytes(32 << 20)),
                new Case<>("config.linux.resources.oom_score_adj",
                        container -> resources(container).setOomScoreAdj(1001)),
                new Case<>("config.linux.resources.hugepage_limits.page_size",
                        container -> resources(container).addHugepageLimitsBuilder().setPageSize("huge")),
                new Case<>("config.linux.resources.unified",
                        container -> resources(container).putUnified("not a file", "1")),
                new Case<>("config.linux.security_context.privileged",
                        container -> context(container).setPrivileged(true)),
                new Case<>("config.linux.security_context.run_as_group", container -> context(container)
                        .setRunAsGroup(Int64Value.newBuilder().setValue(1))),
                new Case<>("config.linux.security_context.run_as_user", container -> context(container)
                        .setRunAsUser(Int64Value.newBuilder().setValue(-1))),
                new Case<>("config.linux.security_context.run_as_username", container -> context(container)
                        .setRunAsUser(Int64Value.newBuilder().setValue(1)).setRunAsUsername("app")),
                new Case<>("config.linux.security_context.supplemental_groups",
                        container -> context(container).addSupplementalGroups(-5)),
                new Case<>("config.linux.security_context.supplemental_groups_policy",
                        container -> context(container).setSupplementalGroupsPolicyValue(NO_VALUE)),
                new Case<>("config.linux.security_context.capabilities.add_capabilities",
                        container -> context(container).getCapabilitiesBuilder().addAddCapabilities("FLY")),
                new Case<>("config.linux.security_context.capabilities.drop_capabilities",
                        container -> context(container).getCapabilitiesBuilder().addDropCapabilities("FLY")),
                new Case<>("config.linux.security_context.capabilities.add_ambient_capabilities",
                        container -> context(container).getCapabilitiesBuilder()
                                .addAddAmbientCapabilities("FLY")),
                new Case<>("config.linux.security_context.masked_paths",
                        container -> context(container).addMaskedPaths("proc")),
                new Case<>("config.linux.security_context.readonly_paths",
                        container -> context(container).addReadonlyPaths("proc")),
                new Case<>("config.linux.security_context.seccomp.localhost_ref",
                        container -> context(container).getSeccompBuilder()
                                .setProfileType(SecurityProfile.ProfileType.Localhost)
                                .setLocalhostRef("relative.json")),
                new Case<>("config.linux.security_context.apparmor.profile_type",
                        container -> context(container).getApparmorBuilder().setProfileTypeValue(NO_VALUE)),
                new Case<>("config.linux.security_context.selinux_options.type",
                        container -> context(container).getSelinuxOptionsBuilder().setType("a:b")
                                .setLevel("s0:c1")),
                new Case<>("config.linux.security_context.namespace_options.target_id",
                        container -> context(container).getNamespaceOptionsBuilder().setTargetId("beef")))
                .map(each -> dynamicTest(each.field(), () -> {
                    ContainerConfig.Builder config = Configs.container("main", NODE.busybox(), "true");
                    each.change().accept(config);
                    assertRefused(() -> NODE.cri().runtime().createContainer(CreateContainerRequest
                            .newBuilder().setPodSandboxId(pod.id()).setConfig(config).build()),
                            each.field());
                })).onClose(pod::close);
    }

    @Test
    void aCallThatCannotBeObeyedIsRefusedByField() {
        try (PodHandle pod = NODE.pod("calls", "")) {
            ContainerHandle container = pod.start(idle());
            var cri = NODE.cri().runtime();

            assertRefused(() -> cri.stopContainer(StopContainerRequest.newBuilder()
                    .setContainerId(container.id()).setTimeout(-1).build()), "timeout");
            assertRefused(() -> container.exec(-1, "true"), "timeout");
            assertRefused(() -> container.exec(1), "cmd");
            assertRefused(() -> cri.updateContainerResources(UpdateContainerResourcesRequest.newBuilder()
                    .setContainerId(container.id()).putAnnotations("speed", "11").build()), "annotations");
            assertRefused(() -> cri.updateContainerResources(UpdateContainerResourcesRequest.newBuilder()
                    .setContainerId(container.id())
                    .setWindows(WindowsContainerResources.getDefaultInstance()).build()), "windows");
            assertRefused(() -> cri.updateContainerResources(UpdateContainerResourcesRequest.newBuilder()
                    .setContainerId(container.id())
                    .setLinux(LinuxContainerResources.newBuilder().setOomScoreAdj(-1001)).build()),
                    "linux.oom_score_adj");
            assertRefused(() -> cri.listContainers(ListContainersRequest.newBuilder().setFilter(
                    ContainerFilter.newBuilder().setState(ContainerStateValue.newBuilder()
                            .setStateValue(NO_VALUE)))
                    .build()), "filter.state.state");
            assertRefused(() -> cri.listPodSandbox(ListPodSandboxRequest.newBuilder().setFilter(
                    PodSandboxFilter.newBuilder().setState(PodSandboxStateValue.newBuilder()
                            .setStateValue(NO_VALUE)))
                    .build()), "filter.state.state");
            assertRefused(() -> cri.exec(ExecRequest.newBuilder().setContainerId(container.id())
                    .addCmd("true").build()), "stdout");
            assertRefused(() -> cri.exec(ExecRequest.newBuilder().setContainerId(container.id())
                    .addCmd("true").setTty(true).setStdout(true).setStderr(true).build()), "tty");
            assertRefused(() -> cri.attach(AttachRequest.newBuilder().setContainerId(container.id())
                    .setStdout(true).setTty(true).build()), "tty");
            assertRefused(() -> cri.portForward(PortForwardRequest.newBuilder().setPodSandboxId(pod.id())
                    .addPort(0).build()), "port");
        }
    }

    @Test
    void theCopyOfThePodsConfigurationMustBeThatPods() {
        try (PodHandle pod = NODE.pod("copy", "")) {
            for (Consumer<PodSandboxConfig.Builder> change : List.<Consumer<PodSandboxConfig.Builder>>of(
                    copy -> copy.getMetadataBuilder().setUid("another"),
                    copy -> copy.setLogDirectory("/var/log/another"))) {
                PodSandboxConfig.Builder copy = pod.config().toBuilder();
                change.accept(copy);
                assertRefused(() -> NODE.cri().runtime().createContainer(CreateContainerRequest.newBuilder()
                        .setPodSandboxId(pod.id()).setConfig(idle()).setSandboxConfig(copy).build()),
                        "sandbox_config.");
            }
        }
    }

    @Test
    void whatIsSaidOfAPodAndAContainerIsToldAgain() {
        var config = Configs.pod("told", NODE.logs()).putLabels("tier", "front").putAnnotations("a", "pod");
        config.getMetadataBuilder().setAttempt(3);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, "crun")) {
            ContainerConfig.Builder asked = idle().putLabels("l", "1").putAnnotations("a", "container");
            asked.getMetadataBuilder().setAttempt(7);
            asked.getImageBuilder().putAnnotations("from", "pod");
            ContainerHandle container = pod.create(asked);
            ContainerStatus status = container.status();

            assertThat(pod.status().getMetadata()).isEqualTo(config.getMetadata());
            assertThat(pod.status().getLabelsMap()).isEqualTo(config.getLabelsMap());
            assertThat(pod.status().getAnnotationsMap()).isEqualTo(config.getAnnotationsMap());
            assertThat(pod.status().getRuntimeHandler()).isEqualTo("crun");
            assertThat(status.getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
            assertThat(status.getStartedAt()).isZero();
            assertThat(status.getMetadata()).isEqualTo(asked.getMetadata());
            assertThat(status.getLabelsMap()).containsOnly(java.util.Map.entry("l", "1"));
            assertThat(status.getAnnotationsMap()).containsEntry("a", "container");
            assertThat(status.getImage().getUserSpecifiedImage()).isEqualTo(NODE.busybox());
            assertThat(status.getImage().getAnnotationsMap()).containsEntry("from", "pod");
            assertThat(status.getLogPath()).isEqualTo(container.logFile().toString());
        }
    }

    @Test
    void aContainerLogsNowhereWhereOnePathIsEmpty() {
        var config = Configs.pod("silent", NODE.logs()).clearLogDirectory();
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, "")) {
            ContainerHandle container = pod
                    .start(Configs.container("main", NODE.busybox(), "echo", "unheard"));

            assertThat(container.awaitExit().getExitCode()).isZero();
            assertThat(container.status().getLogPath()).isEmpty();
        }
    }

    @Test
    void theLastOfSeveralVariablesOfOneNameCounts() {
        try (PodHandle pod = NODE.pod("twice", "")) {
            assertThat(pod.start(Configs.container("main", NODE.busybox(), "sh", "-c", "env | grep ^TWICE")
                    .addEnvs(Configs.env("TWICE", "first")).addEnvs(Configs.env("TWICE", "last"))).output())
                    .isEqualTo("TWICE=last");
        }
    }

    @Test
    void timesWithoutEndAreTaken() {
        try (PodHandle pod = NODE.pod("huge", "")) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "trap 'exit 0' TERM; while :; do sleep 0.1; done"));

            assertThat(container.exec(Long.MAX_VALUE, "echo", "patient").getStdout().toStringUtf8())
                    .isEqualTo("patient\n");
            container.stop(Long.MAX_VALUE);
            assertThat(container.status().getExitCode()).isZero();
        }
    }

    private static void assertRefused(ThrowingCallable call, String field) {
        assertThatThrownBy(call).isInstanceOfSatisfying(StatusRuntimeException.class, error -> {
            assertThat(error.getStatus().getCode()).as(error.getMessage())
                    .isEqualTo(Status.Code.INVALID_ARGUMENT);
            assertThat(error.getStatus().getDescription()).contains(field);
        });
    }

    private static ContainerConfig.Builder idle() {
        return Configs.container("idle", NODE.busybox(), "sleep", "1000");
    }

    private static NamespaceOption.Builder namespaces(PodSandboxConfig.Builder pod) {
        return pod.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder();
    }

    private static LinuxContainerResources.Builder resources(ContainerConfig.Builder container) {
        return container.getLinuxBuilder().getResourcesBuilder();
    }

    private static LinuxContainerSecurityContext.Builder context(ContainerConfig.Builder container) {
        return container.getLinuxBuilder().getSecurityContextBuilder();
    }
}
