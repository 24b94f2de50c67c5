package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.Capability;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ExecSyncResponse;
import io.berth.cri.v1.HugepageLimit;
import io.berth.cri.v1.Int64Value;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.LinuxContainerSecurityContext;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.SELinuxOption;
import io.berth.cri.v1.SecurityProfile;
import io.berth.cri.v1.SupplementalGroupsPolicy;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.function.Consumer;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class ContainerSecurityIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    ContainerSecurityIT(String handler) {
        this.handler = handler;
    }

    /** The default set that Kubernetes documents, as bits of CapEff. */
    private static final String DEFAULT_CAPABILITIES = "00000000a80425fb";
    private static final int CAP_NET_ADMIN = 12;
    private static final int CAP_CHOWN = 0;
    private static final int CAP_NET_BIND_SERVICE = 10;

    @Test
    void aContainerHasTheDefaultCapabilitiesAndNoAmbientOnes() {
        assertThat(capabilities(context -> {}, "CapEff")).isEqualTo(DEFAULT_CAPABILITIES);
        assertThat(capabilities(context -> {}, "CapBnd")).isEqualTo(DEFAULT_CAPABILITIES);
        assertThat(capabilities(context -> {}, "CapAmb")).isEqualTo("0000000000000000");
    }

    @Test
    void capabilitiesAreAddedAndDroppedByName() {
        String changed = capabilities(context -> context.setCapabilities(
                Capability.newBuilder().addAddCapabilities("NET_ADMIN").addDropCapabilities("CHOWN")),
                "CapEff");

        long bits = HexFormat.fromHexDigitsToLong(changed);
        assertThat(bits >> CAP_NET_ADMIN & 1).isEqualTo(1);
        assertThat(bits >> CAP_CHOWN & 1).isZero();
    }

    @Test
    void allCapabilitiesMayBeDropped() {
        assertThat(capabilities(
                context -> context.setCapabilities(Capability.newBuilder().addDropCapabilities("ALL")),
                "CapEff"))
                .isEqualTo("0000000000000000");
    }

    @Test
    void allCapabilitiesMayBeAdded() {
        long added = HexFormat.fromHexDigitsToLong(capabilities(
                context -> context.setCapabilities(Capability.newBuilder().addAddCapabilities("ALL")),
                "CapEff"));

        assertThat(added & HexFormat.fromHexDigitsToLong(DEFAULT_CAPABILITIES))
                .isEqualTo(HexFormat.fromHexDigitsToLong(DEFAULT_CAPABILITIES));
        assertThat(Command.output("grep", "CapBnd", "/proc/self/status")).endsWith("%016x".formatted(added));
    }

    @Test
    void ambientCapabilitiesReachAProgramOfAnotherUser() {
        assertThat(HexFormat.fromHexDigitsToLong(capabilities(context -> context
                .setRunAsUser(Int64Value.newBuilder().setValue(1000)).setCapabilities(
                        Capability.newBuilder().addAddAmbientCapabilities("NET_BIND_SERVICE")),
                "CapEff"))).isEqualTo(1 << CAP_NET_BIND_SERVICE);
    }

    /** crun gives what it inherits to the container's user, who then could take the device from every process of the node. */
    @Test
    void theNullDeviceThatIsStdinIsNotTheNodes() throws IOException {
        var before = Files.readAttributes(Path.of("/dev/null"), "unix:uid,gid,mode");
        var config = Configs.container("main", NODE.busybox(), "sh", "-c",
                "cat; cat /dev/stdin; chmod 000 /dev/stdin 2>/dev/null; [ -c /dev/stdin ] && echo device; "
                        + "sleep 1000");
        config.getLinuxBuilder().getSecurityContextBuilder()
                .setRunAsUser(Int64Value.newBuilder().setValue(1000));
        try (PodHandle pod = NODE.pod("null", handler)) {
            ContainerHandle container = pod.start(config);
            assertThat(container.awaitLog(1)).extracting(LogLine::text).containsExactly("device");
            assertThat(container.sh("chmod 000 /dev/stdin; echo gone > /dev/null; cat /dev/null; id -u"))
                    .isEqualTo("1000");
        }
        assertThat(Files.readAttributes(Path.of("/dev/null"), "unix:uid,gid,mode")).isEqualTo(before);
    }

    @Test
    void aPrivilegedContainerIsConfinedByNoSeccompProfile() throws IOException {
        Path profile = Files.writeString(NODE.directory().resolve("no-sethostname.json"), """
            {"defaultAction": "SCMP_ACT_ALLOW",
             "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO"}]}""");
        Consumer<LinuxContainerSecurityContext.Builder> confined = context -> context
                .setSeccomp(SecurityProfile.newBuilder()
                        .setProfileType(SecurityProfile.ProfileType.Localhost)
                        .setLocalhostRef(profile.toString()))
                .setCapabilities(Capability.newBuilder().addAddCapabilities("SYS_ADMIN"));
        assertThat(shell(confined, "hostname other 2>&1 || true")).contains("not permitted");

        var config = Configs.pod("privileged", NODE.logs());
        config.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerConfig.Builder privileged = idle("main");
            confined.andThen(context -> context.setPrivileged(true))
                    .accept(privileged.getLinuxBuilder().getSecurityContextBuilder());

            assertThat(pod.start(privileged).sh("hostname other && hostname")).isEqualTo("other");
        }
    }

    @Test
    void groupsOfTheImageCountUnlessThePolicyIsStrict() {
        Consumer<LinuxContainerSecurityContext.Builder> user = context -> context
                .setRunAsUser(Int64Value.newBuilder().setValue(1000)).addSupplementalGroups(4242);

        assertThat(shell(user, "id -G").split(" ")).contains("1001", "50", "4242");
        assertThat(shell(user.andThen(context -> context
                .setSupplementalGroupsPolicy(SupplementalGroupsPolicy.Strict)), "id -G").split(" "))
                .containsExactlyInAnyOrder("1001", "4242");
    }

    @Test
    void anotherUserThanRootHasNoCapabilitiesInEffect() {
        assertThat(capabilities(context -> context.setRunAsUser(Int64Value.newBuilder().setValue(1000)),
                "CapEff"))
                .isEqualTo("0000000000000000");
    }

    @Test
    void aPrivilegedContainerMayMountAndSeesTheDevicesOfTheNode() throws IOException {
        var config = Configs.pod("privileged", NODE.logs());
        config.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerConfig.Builder privileged = idle("main");
            privileged.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
            ContainerHandle container = pod.start(privileged);

            assertThat(container.sh("mount -t tmpfs none /tmp && echo mounted")).isEqualTo("mounted");
            assertThat(container.sh("grep -w Seccomp /proc/self/status")).endsWith("0");
            assertThat(container.sh("ls /dev").lines()).contains("kmsg", "loop-control");
            assertThat(container.sh("touch /proc/sys/kernel/hostname && echo writable"))
                    .isEqualTo("writable");
        }
    }

    @Test
    void anOrdinaryContainerMayNotMount() {
        try (PodHandle pod = NODE.pod("unprivileged", handler)) {
            ExecSyncResponse response = pod.start(idle("main")).exec(0, "mount", "-t", "tmpfs", "none",
                    "/tmp");

            assertThat(response.getExitCode()).isNotZero();
            assertThat(response.getStderr().toStringUtf8()).containsIgnoringCase("permission denied");
        }
    }

    @Test
    void aReadOnlyRootIsReadOnly() {
        assertThat(shell(context -> context.setReadonlyRootfs(true), "touch /written 2>&1 || true"))
                .contains("Read-only file system");
        assertThat(shell(context -> context.setReadonlyRootfs(true), "touch /dev/shm/x && echo ok"))
                .isEqualTo("ok");
        assertThat(shell(context -> {}, "touch /written && echo ok")).isEqualTo("ok");
    }

    @Test
    void noNewPrivilegesIsAsAsked() {
        assertThat(shell(context -> context.setNoNewPrivs(true), "grep NoNewPrivs /proc/self/status"))
                .endsWith("1");
        assertThat(shell(context -> {}, "grep NoNewPrivs /proc/self/status")).endsWith("0");
    }

    @Test
    void theDefaultSeccompProfileIsInForceAndUnconfinedIsNot() {
        assertThat(shell(context -> {}, "grep -w Seccomp /proc/self/status")).endsWith("2");
        assertThat(shell(context -> context.setSeccomp(SecurityProfile.newBuilder()
                .setProfileType(SecurityProfile.ProfileType.Unconfined)),
                "grep -w Seccomp /proc/self/status")).endsWith("0");
    }

    @Test
    void theDefaultSeccompProfileDeniesNewUserNamespaces() {
        assertThat(shell(context -> {}, "unshare -U true 2>&1 || true"))
                .contains("Operation not permitted");
    }

    @Test
    void aLocalSeccompProfileIsInForce() throws IOException {
        Path profile = Files.writeString(NODE.directory().resolve("no-mkdir.json"), """
            {"defaultAction": "SCMP_ACT_ALLOW",
             "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}""");

        assertThat(shell(context -> context.setSeccomp(SecurityProfile.newBuilder()
                .setProfileType(SecurityProfile.ProfileType.Localhost).setLocalhostRef(profile.toString())),
                "mkdir /tmp/x 2>&1 || true")).contains("Operation not permitted");
    }

    @Test
    void aMissingSeccompProfileIsNamed() {
        assertThatThrownBy(() -> shell(context -> context.setSeccomp(SecurityProfile.newBuilder()
                .setProfileType(SecurityProfile.ProfileType.Localhost).setLocalhostRef("/not/there.json")),
                "true"))
                .hasMessageContaining("/not/there.json");
    }

    @Test
    void maskedAndReadOnlyPathsAreTheOnesOfTheRequest() {
        Consumer<LinuxContainerSecurityContext.Builder> paths = context -> context
                .addMaskedPaths("/etc/passwd").addReadonlyPaths("/var");

        assertThat(shell(paths, "cat /etc/passwd")).isEmpty();
        assertThat(shell(paths, "touch /var/x 2>&1 || true")).contains("Read-only file system");
    }

    @Test
    void aPrivilegedContainerIsConfinedByThePathsThatItNames() {
        var config = Configs.pod("privileged-paths", NODE.logs());
        config.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerConfig.Builder privileged = idle("main");
            privileged.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true)
                    .addMaskedPaths("/etc/passwd");

            assertThat(pod.start(privileged).sh("cat /etc/passwd; test -w /proc/sys/kernel && echo ok"))
                    .isEqualTo("ok");
        }
    }

    @Test
    void anotherUserThanRootHasItsAmbientCapabilitiesInEffect() {
        String effective = capabilities(context -> context
                .setRunAsUser(Int64Value.newBuilder().setValue(1000)).setCapabilities(Capability.newBuilder()
                        .addAddAmbientCapabilities("NET_BIND_SERVICE")),
                "CapEff");

        assertThat(effective).isEqualTo("0000000000000400");
    }

    @Test
    void groupsOfTheImageAreMergedOrNotAsThePolicySays() {
        Consumer<LinuxContainerSecurityContext.Builder> user = context -> context
                .setRunAsUser(Int64Value.newBuilder().setValue(1000)).addSupplementalGroups(4242);

        assertThat(shell(user, "id -G").split(" ")).containsExactlyInAnyOrder("1001", "4242", "50", "63");
        assertThat(shell(user.andThen(context -> context
                .setSupplementalGroupsPolicy(SupplementalGroupsPolicy.Strict)), "id -G").split(" "))
                .containsExactlyInAnyOrder("1001", "4242");
    }

    @Test
    void labelsOfSelinuxAreWithoutEffectWhereThereIsNone() {
        assertThat(
                shell(context -> context.setSelinuxOptions(SELinuxOption.newBuilder().setLevel("s0:c1,c2")),
                        "echo runs"))
                .isEqualTo("runs");
    }

    @Test
    void fieldsThatCannotBeObeyedAreNamed() {
        try (PodHandle pod = NODE.pod("refusals", handler); PodHandle other = NODE.pod("other", handler)) {
            ContainerHandle stranger = other.start(idle("stranger"));
            refused(pod, "run_as_group",
                    context -> context.setRunAsGroup(Int64Value.newBuilder().setValue(5)));
            refused(pod, "run_as_user",
                    context -> context.setRunAsUser(Int64Value.newBuilder().setValue(-1)));
            refused(pod, "run_as_username", context -> context.setRunAsUsername("nobody-has-this"));
            refused(pod, "privileged", context -> context.setPrivileged(true));
            refused(pod, "capabilities.add_capabilities", context -> context
                    .setCapabilities(Capability.newBuilder().addAddCapabilities("FLY")));
            refused(pod, "masked_paths", context -> context.addMaskedPaths("etc/passwd"));
            refused(pod, "seccomp.localhost_ref", context -> context.setSeccomp(SecurityProfile.newBuilder()
                    .setProfileType(SecurityProfile.ProfileType.Localhost).setLocalhostRef("relative.json")));
            refused(pod, "selinux_options.user", context -> context
                    .setSelinuxOptions(SELinuxOption.newBuilder().setUser("a:b")));
            refused(pod, "pid", context -> context.getNamespaceOptionsBuilder().setPid(NamespaceMode.TARGET)
                    .setTargetId(stranger.id()));
            refused(pod, "target_id", context -> context.getNamespaceOptionsBuilder()
                    .setTargetId(stranger.id()));
            refused(pod, "pid", context -> context.getNamespaceOptionsBuilder().setPid(NamespaceMode.POD));
            refused(pod, "ipc", context -> context.getNamespaceOptionsBuilder().setIpc(NamespaceMode.NODE));
        }
    }

    @Test
    void resourcesAndClassesThatCannotBeGivenAreNamed() {
        try (PodHandle pod = NODE.pod("resources", handler)) {
            refused(pod, "oom_score_adj", resources -> resources.setOomScoreAdj(1001), "");
            refused(pod, "cpuset_cpus", resources -> resources.setCpusetCpus("a-b"), "");
            refused(pod, "cpu_shares", resources -> resources.setCpuShares(-1), "");
            refused(pod, "memory_swap_limit_in_bytes",
                    resources -> resources.setMemoryLimitInBytes(64 << 20).setMemorySwapLimitInBytes(1 << 20),
                    "");
            refused(pod, "hugepage_limits.page_size", resources -> resources
                    .addHugepageLimits(HugepageLimit.newBuilder().setPageSize("huge").setLimit(1)), "");
            refused(pod, "blockio", resources -> {}, "blockio.resources.beta.kubernetes.io/pod");
            refused(pod, "rdt", resources -> {}, "rdt.resources.beta.kubernetes.io/container.main");
            if (!NodeFeature.CGROUP_V2.isPresent()) {
                refused(pod, "unified", resources -> resources.putUnified("memory.high", "100"), "");
            }
        }
    }

    @Test
    void aSandboxThatCannotBeIsNamed() {
        refusedPod("linux.sysctls: net.ipv4.ip_forward", config -> config.clearHostname().getLinuxBuilder()
                .putSysctls("net.ipv4.ip_forward", "1").getSecurityContextBuilder()
                .getNamespaceOptionsBuilder()
                .setNetwork(NamespaceMode.NODE));
        refusedPod("linux.sysctls: kernel.shmmax", config -> config.getLinuxBuilder()
                .putSysctls("kernel.shmmax", "1").getSecurityContextBuilder().getNamespaceOptionsBuilder()
                .setIpc(NamespaceMode.NODE));
        refusedPod("namespace_options.network", config -> config.getLinuxBuilder().getSecurityContextBuilder()
                .getNamespaceOptionsBuilder().setNetwork(NamespaceMode.CONTAINER));
        refusedPod("namespace_options.pid", config -> config.getLinuxBuilder().getSecurityContextBuilder()
                .getNamespaceOptionsBuilder().setPid(NamespaceMode.TARGET));
        refusedPod("run_as_group", config -> config.getLinuxBuilder().getSecurityContextBuilder()
                .setRunAsGroup(Int64Value.newBuilder().setValue(1)));
        refusedPod("seccomp.localhost_ref", config -> config.getLinuxBuilder().getSecurityContextBuilder()
                .setSeccomp(SecurityProfile.newBuilder()
                        .setProfileType(SecurityProfile.ProfileType.Localhost)));
    }

    private void refusedPod(String field, Consumer<PodSandboxConfig.Builder> change) {
        PodSandboxConfig.Builder config = Configs.pod("refused", NODE.logs());
        change.accept(config);
        isInvalid(field, () -> PodHandle.run(NODE.cri(), config, handler));
    }

    private static void refused(PodHandle pod, String field,
            Consumer<LinuxContainerSecurityContext.Builder> change) {
        ContainerConfig.Builder container = idle("refused");
        change.accept(container.getLinuxBuilder().getSecurityContextBuilder());
        isInvalid(field, () -> pod.create(container));
    }

    private static void refused(PodHandle pod, String field, Consumer<LinuxContainerResources.Builder> change,
            String annotation) {
        ContainerConfig.Builder container = idle("refused");
        if (!annotation.isEmpty()) {
            container.putAnnotations(annotation, "gold");
        }
        change.accept(container.getLinuxBuilder().getResourcesBuilder());
        isInvalid(field, () -> pod.create(container));
    }

    private static void isInvalid(String field, ThrowingCallable call) {
        assertThatThrownBy(call).as(field).isInstanceOfSatisfying(StatusRuntimeException.class, e -> {
            assertThat(e.getStatus().getCode()).as(e.getMessage()).isEqualTo(Status.Code.INVALID_ARGUMENT);
            assertThat(e.getMessage()).contains(field);
        });
    }

    private String capabilities(Consumer<LinuxContainerSecurityContext.Builder> change, String set) {
        return shell(change, "grep " + set + " /proc/self/status | cut -f2");
    }

    /** What {@code script}, as the container's own process, prints to stdout. */
    private String shell(Consumer<LinuxContainerSecurityContext.Builder> change, String script) {
        try (PodHandle pod = NODE.pod("security", handler)) {
            ContainerConfig.Builder container = Configs.container("main", NODE.busybox(), "sh", "-c", script);
            change.accept(container.getLinuxBuilder().getSecurityContextBuilder());
            return pod.start(container).output();
        }
    }

    private static ContainerConfig.Builder idle(String name) {
        return Configs.container(name, NODE.busybox(), "sleep", "1000");
    }
}
