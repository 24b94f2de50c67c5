package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.cri.v1.LinuxContainerSecurityContext;
import io.berth.cri.v1.SecurityProfile;
import io.berth.cri.v1.SecurityProfile.ProfileType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Capabilities, seccomp, AppArmor, SELinux, masked paths. */
class ConfinementSpecTest {
    private static final SelinuxPolicy NO_CONTAINERS = new SelinuxPolicy(Optional.empty(), Optional.empty(),
            true);

    private static final String BOUNDING = "/process/capabilities/bounding";

    private SpecRequest request;

    @BeforeEach
    void prepare(@TempDir Path rootfs) {
        request = new SpecRequest(rootfs);
    }

    @Test
    void hasTheDefaultCapabilitiesInThreeSetsAndNoneToInherit() throws OciException {
        List<String> expected = List.of("CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER",
                "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP",
                "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT");
        assertThat(request.texts(BOUNDING)).isEqualTo(expected);
        assertThat(request.texts("/process/capabilities/effective")).isEqualTo(expected);
        assertThat(request.texts("/process/capabilities/permitted")).isEqualTo(expected);
        assertThat(request.texts("/process/capabilities/inheritable")).isEmpty();
        assertThat(request.texts("/process/capabilities/ambient")).isEmpty();
    }

    @Test
    void addsAndDropsCapabilitiesWithOrWithoutPrefix() throws OciException {
        request.security().getCapabilitiesBuilder().addAddCapabilities("net_admin")
                .addAddCapabilities("CAP_BPF")
                .addDropCapabilities("CHOWN").addAddAmbientCapabilities("NET_BIND_SERVICE");
        assertThat(request.texts(BOUNDING)).contains("CAP_NET_ADMIN", "CAP_BPF").doesNotContain("CAP_CHOWN");
        assertThat(request.texts("/process/capabilities/ambient")).containsExactly("CAP_NET_BIND_SERVICE");
        assertThat(request.texts("/process/capabilities/inheritable"))
                .containsExactly("CAP_NET_BIND_SERVICE");
    }

    @Test
    void allMeansWhatTheDaemonHas() throws OciException {
        request.host = SpecRequest.poorHost();
        request.security().getCapabilitiesBuilder().addAddCapabilities("ALL").addDropCapabilities("KILL");
        assertThat(request.texts(BOUNDING)).containsExactly("CAP_CHOWN");
        request.security().getCapabilitiesBuilder().clear().addDropCapabilities("ALL")
                .addAddCapabilities("KILL");
        assertThat(request.texts(BOUNDING)).containsExactly("CAP_KILL");
    }

    @Test
    void refusesCapabilitiesThatAreNoneOrThatTheDaemonLacks() {
        request.security().getCapabilitiesBuilder().addAddCapabilities("FLY");
        request.isInvalid("capabilities.add_capabilities: unknown capability \"FLY\"");
        request.security().getCapabilitiesBuilder().clear().addDropCapabilities("CAP_FLY");
        request.isInvalid("capabilities.drop_capabilities: unknown capability \"CAP_FLY\"");
        request.host = SpecRequest.poorHost();
        request.security().getCapabilitiesBuilder().clear().addAddCapabilities("NET_ADMIN");
        request.isUnsupported("capabilities.add_capabilities: CAP_NET_ADMIN cannot be given");
    }

    @Test
    void privilegedHasAllAndIsConfinedByNothing() throws OciException {
        request.privileged().security().setSeccomp(profile(ProfileType.RuntimeDefault, ""));
        assertThat(request.texts(BOUNDING)).hasSize(41);
        JsonNode linux = request.at("/linux");
        assertThat(linux.has("seccomp")).isFalse();
        assertThat(linux.has("maskedPaths")).isFalse();
        assertThat(linux.has("readonlyPaths")).isFalse();
        assertThat(linux.at("/resources/devices/0/allow").asBoolean()).isTrue();
        assertThat(request.mount("/sys").toString()).contains("\"rw\"");
        assertThat(request.mount("/sys/fs/cgroup").toString()).contains("\"rw\"");
    }

    @Test
    void privilegedNeedsAPrivilegedSandbox() {
        request.security().setPrivileged(true);
        request.isInvalid("privileged: the container's sandbox is not privileged");
    }

    @Test
    void hidesPathsByDefaultOrAsAsked() throws OciException {
        assertThat(request.texts("/linux/maskedPaths")).contains("/proc/kcore", "/sys/firmware");
        assertThat(request.texts("/linux/readonlyPaths")).contains("/proc/sys");
        request.security().addMaskedPaths("/bin/ls").addReadonlyPaths("/etc");
        assertThat(request.texts("/linux/maskedPaths")).containsExactly("/bin/ls");
        assertThat(request.texts("/linux/readonlyPaths")).containsExactly("/etc");
        request.security().addMaskedPaths("etc");
        request.isInvalid("masked_paths: \"etc\" is not an absolute path");
    }

    @Test
    void passesNoNewPrivilegesAndReadOnlyRoot() throws OciException {
        request.security().setNoNewPrivs(true).setReadonlyRootfs(true);
        assertThat(request.at("/process/noNewPrivileges").asBoolean()).isTrue();
        assertThat(request.at("/root/readonly").asBoolean()).isTrue();
    }

    @Test
    void seccompIsUnconfinedUnlessAsked() throws OciException {
        assertThat(request.at("/linux").has("seccomp")).isFalse();
        request.security().setSeccomp(profile(ProfileType.Unconfined, ""));
        assertThat(request.at("/linux").has("seccomp")).isFalse();
    }

    @Test
    void theDefaultProfileOpensCallsByCapability() throws OciException {
        request.security().setSeccomp(profile(ProfileType.RuntimeDefault, ""));
        assertThat(request.at("/linux/seccomp/defaultAction").asText()).isEqualTo("SCMP_ACT_ERRNO");
        assertThat(request.at("/linux/seccomp").has("archMap")).isFalse();
        assertThat(allowed()).contains("openat2", "clone", "chroot").doesNotContain("mount", "bpf", "unshare",
                "init_module", "io_uring_setup", "keyctl", "kexec_load");
        assertThat(rules("clone")).singleElement()
                .satisfies(rule -> assertThat(rule.at("/args/0/value").asLong()).isEqualTo(0x7E020000L));
        request.security().getCapabilitiesBuilder().addAddCapabilities("SYS_ADMIN")
                .addDropCapabilities("SYS_CHROOT");
        assertThat(allowed()).contains("mount", "bpf", "unshare", "clone3").doesNotContain("chroot");
        assertThat(rules("clone")).singleElement().satisfies(rule -> assertThat(rule.has("args")).isFalse());
    }

    @Test
    void theDefaultProfileKnowsTheMachine() throws OciException {
        SeccompProfile profile = SeccompSection.builtIn();
        JsonNode arm = profile.resolve(Set.of(), "aarch64", new KernelVersion(6, 1));
        assertThat(arm.path("architectures").toString())
                .isEqualTo("[\"SCMP_ARCH_AARCH64\",\"SCMP_ARCH_ARM\"]");
        assertThat(arm.toString()).contains("sync_file_range2").doesNotContain("arch_prctl");
        JsonNode intel = profile.resolve(Set.of(), "amd64", new KernelVersion(4, 4));
        assertThat(intel.toString()).contains("arch_prctl").doesNotContain("ptrace");
    }

    @Test
    void aKernelWithoutX32GetsNoFilterForIt() throws IOException {
        request.security().setSeccomp(profile(ProfileType.RuntimeDefault, ""));
        String all = request.at("/linux/seccomp/architectures").toString();
        request.host = SpecRequest.hostWithoutX32();
        assertThat(request.at("/linux/seccomp/architectures").toString()).contains("SCMP_ARCH_")
                .isEqualTo(all.replace(",\"SCMP_ARCH_X32\"", ""));
    }

    @Test
    void readsLocalProfilesByEitherField(@TempDir Path profiles) throws IOException {
        Path file = Files.writeString(profiles.resolve("p.json"),
                "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"sethostname\"],"
                        + "\"action\":\"SCMP_ACT_ERRNO\"}]}");
        request.security().setSeccomp(profile(ProfileType.Localhost, file.toString()));
        assertThat(request.at("/linux/seccomp/syscalls/0/names/0").asText()).isEqualTo("sethostname");
        deprecatedSeccomp("localhost/" + file);
        assertThat(request.at("/linux/seccomp/defaultAction").asText()).isEqualTo("SCMP_ACT_ALLOW");
        deprecatedSeccomp("runtime/default");
        assertThat(request.at("/linux/seccomp/defaultAction").asText()).isEqualTo("SCMP_ACT_ERRNO");
    }

    @Test
    void anOperatorsProfileTakesTheDefaultsPlace(@TempDir Path profiles) throws IOException {
        request.seccompDefault = Optional.of(
                Files.writeString(profiles.resolve("p.json"), "{\"defaultAction\":\"SCMP_ACT_LOG\"}"));
        request.security().setSeccomp(profile(ProfileType.RuntimeDefault, ""));
        assertThat(request.at("/linux/seccomp/defaultAction").asText()).isEqualTo("SCMP_ACT_LOG");
    }

    @Test
    void refusesProfilesThatAreNone(@TempDir Path profiles) throws IOException {
        request.security().setSeccomp(profile(ProfileType.Localhost, "relative.json"));
        request.isInvalid("seccomp.localhost_ref: \"relative.json\" is not an absolute path");
        request.security().setSeccomp(profile(ProfileType.Localhost, profiles + "/none.json"));
        request.isInvalid("none.json does not exist on this node");
        Path file = Files.writeString(profiles.resolve("p.json"), "[1");
        request.security().setSeccomp(profile(ProfileType.Localhost, file.toString()));
        request.isInvalid("is not JSON");
        Files.writeString(file, "{}");
        request.isInvalid("is no seccomp profile: it has no defaultAction");
        deprecatedSeccomp("local/p");
        request.isInvalid("seccomp_profile_path: \"local/p\" is none of");
        request.host = SpecRequest.poorHost();
        deprecatedSeccomp("runtime/default");
        request.isUnsupported("seccomp: this node's kernel has no seccomp filters");
    }

    @Test
    void refusesAppArmorWhereTheKernelHasNone() throws OciException {
        assertThat(request.at("/process").has("apparmorProfile")).isFalse();
        request.security().setApparmor(profile(ProfileType.Unconfined, ""));
        assertThat(request.at("/process").has("apparmorProfile")).isFalse();
        request.security().setApparmor(profile(ProfileType.RuntimeDefault, ""));
        request.isInvalid("apparmor: this node's kernel has no AppArmor (or it is off)");
    }

    @Test
    void confinesByAppArmorWhereTheKernelHasIt() throws OciException {
        request.host = SpecRequest.appArmorHost();
        assertThat(request.at("/process/apparmorProfile").asText()).isEqualTo("berth-default");
        request.security().setApparmor(profile(ProfileType.Unconfined, ""));
        assertThat(request.at("/process").has("apparmorProfile")).isFalse();
        request.privileged().security().clearApparmor();
        assertThat(request.at("/process").has("apparmorProfile")).isFalse();
    }

    @Test
    void wantsLocalAppArmorProfilesLoaded(@TempDir Path kernel) throws IOException {
        Path loaded = Files.writeString(kernel.resolve("profiles"), "other (enforce)\nmine (complain)\n");
        HostFacts host = SpecRequest.appArmorHost();
        var local = LinuxContainerSecurityContext.newBuilder()
                .setApparmor(profile(ProfileType.Localhost, "mine"));
        assertThat(AppArmorProfile.of(local.build(), host, loaded)).contains("mine");
        local.setApparmor(profile(ProfileType.Localhost, "min"));
        assertThatThrownBy(() -> AppArmorProfile.of(local.build(), host, loaded))
                .hasMessageContaining("profile \"min\" is not loaded on this node");
    }

    @Test
    void labelsOnlyWhereSelinuxIs() throws OciException {
        request.security().getSelinuxOptionsBuilder().setType("spc_t").setLevel("s0:c1,c2");
        OciSpec plain = request.build();
        assertThat(plain.json().at("/process").has("selinuxLabel")).isFalse();
        assertThat(plain.warnings())
                .containsExactly(
                        "selinux_options are without effect: this node has no SELinux, or the configuration says"
                                + " selinux = false");
        request.host = SpecRequest.seLinuxHost(NO_CONTAINERS);
        assertThat(request.at("/process/selinuxLabel").asText())
                .isEqualTo("system_u:system_r:spc_t:s0:c1,c2");
        assertThat(request.at("/linux/mountLabel").asText())
                .isEqualTo("system_u:object_r:container_file_t:s0:c1,c2");
        request.security().getSelinuxOptionsBuilder().setType("a:b");
        request.isInvalid("selinux_options.type: \"a:b\" holds a colon");
    }

    @Test
    void labelsWhoAsksForNothingAsThePolicyAndThePodSay() throws OciException {
        request.selinuxLevel = "s0:c7,c9";
        request.host = SpecRequest.seLinuxHost(NO_CONTAINERS);
        assertThat(request.build().json().at("/process").has("selinuxLabel")).isFalse();

        request.host = SpecRequest.seLinuxHost(new SelinuxPolicy(
                Optional.of(new SelinuxPolicy.Context("system_u", "system_r", "svirt_lxc_net_t")),
                Optional.of(new SelinuxPolicy.Context("system_u", "object_r", "svirt_sandbox_file_t")),
                true));
        assertThat(request.at("/process/selinuxLabel").asText())
                .isEqualTo("system_u:system_r:svirt_lxc_net_t:s0:c7,c9");
        assertThat(request.at("/linux/mountLabel").asText())
                .isEqualTo("system_u:object_r:svirt_sandbox_file_t:s0:c7,c9");

        request.sandbox.getLinuxBuilder().getSecurityContextBuilder().getSelinuxOptionsBuilder()
                .setType("pod_t");
        assertThat(request.at("/process/selinuxLabel").asText())
                .isEqualTo("system_u:system_r:pod_t:s0:c7,c9");

        request.privileged();
        assertThat(request.build().json().at("/process").has("selinuxLabel")).isFalse();
    }

    private List<String> allowed() throws OciException {
        List<String> names = new ArrayList<>();
        for (JsonNode rule : request.at("/linux/seccomp/syscalls")) {
            if (rule.path("action").asText().equals("SCMP_ACT_ALLOW")) {
                rule.path("names").forEach(name -> names.add(name.asText()));
            }
        }
        return names;
    }

    private List<JsonNode> rules(String call) throws OciException {
        return StreamSupport.stream(request.at("/linux/seccomp/syscalls").spliterator(), false)
                .filter(rule -> rule.path("names").toString().contains("\"" + call + "\""))
                .toList();
    }

    @SuppressWarnings("deprecation") // It is the deprecated field that is tested.
    private void deprecatedSeccomp(String text) {
        request.security().clearSeccomp().setSeccompProfilePath(text);
    }

    private static SecurityProfile profile(ProfileType type, String reference) {
        return SecurityProfile.newBuilder().setProfileType(type).setLocalhostRef(reference).build();
    }
}
