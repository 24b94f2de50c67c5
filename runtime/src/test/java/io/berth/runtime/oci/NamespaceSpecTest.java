package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.IDMapping;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.UserNamespace;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NamespaceSpecTest {
    private SpecRequest request;

    @BeforeEach
    void prepare(@TempDir Path rootfs) {
        request = new SpecRequest(rootfs);
    }

    @Test
    void joinsThePodsAndHasItsOwnMountsAndPids() throws OciException {
        assertThat(namespaces()).isEqualTo(Map.of("mount", "", "network", "/run/ns/net", "pid", "", "ipc",
                "/run/ns/ipc", "uts", "/run/ns/uts"));
    }

    @Test
    void staysInTheNodesWhereAsked() throws OciException {
        request.namespaces(
                NamespaceOption.newBuilder().setNetwork(NamespaceMode.NODE).setPid(NamespaceMode.NODE)
                        .setIpc(NamespaceMode.NODE));
        assertThat(namespaces()).isEqualTo(Map.of("mount", ""));
        assertThat(request.mount("/dev/shm").path("source").asText()).isEqualTo("/dev/shm");
    }

    @Test
    void sharesThePodsPidsOrAnotherContainers() throws OciException {
        request.namespaces(NamespaceOption.newBuilder().setPid(NamespaceMode.POD));
        request.namespaces.put("pid", Path.of("/proc/77/ns/pid"));
        assertThat(namespaces()).containsEntry("pid", "/proc/77/ns/pid");
        request.namespaces(NamespaceOption.newBuilder().setPid(NamespaceMode.TARGET).setTargetId("other"));
        assertThat(namespaces()).containsEntry("pid", "/proc/77/ns/pid");
        request.namespaces.remove("pid");
        request.isInvalid("namespace_options.target_id: container \"other\" does not run");
    }

    @Test
    void hasItsOwnIpcAndSharedMemoryWhereAsked() throws OciException {
        request.files.put("shm", Path.of("/run/pod/shm"));
        assertThat(request.mount("/dev/shm").path("source").asText()).isEqualTo("/run/pod/shm");
        request.namespaces(
                NamespaceOption.newBuilder().setPid(NamespaceMode.CONTAINER).setIpc(NamespaceMode.CONTAINER));
        assertThat(namespaces()).containsEntry("ipc", "");
        assertThat(request.mount("/dev/shm").path("type").asText()).isEqualTo("tmpfs");
    }

    @Test
    void hidesOtherCgroupsOnVersionTwo() throws OciException {
        request.host = SpecRequest.host(true);
        assertThat(namespaces()).containsKey("cgroup");
        assertThat(request.mount("/sys/fs/cgroup").path("type").asText()).isEqualTo("cgroup");
        request.privileged();
        assertThat(namespaces()).doesNotContainKey("cgroup");
        // Another mount of it would change the options that the whole machine has.
        assertThat(request.mount("/sys/fs/cgroup").path("type").asText()).isEqualTo("bind");
        assertThat(request.mount("/sys/fs/cgroup").toString()).contains("\"rw\"");
    }

    @Test
    void refusesModesThatANamespaceDoesNotHave() {
        request.namespaces(NamespaceOption.newBuilder().setNetwork(NamespaceMode.CONTAINER));
        request.isInvalid("namespace_options.network: CONTAINER is not supported; use POD or NODE");
        request.namespaces(NamespaceOption.newBuilder().setIpc(NamespaceMode.TARGET));
        request.isInvalid("namespace_options.ipc: TARGET is not supported");
        request.namespaces(NamespaceOption.newBuilder().setPidValue(9));
        request.isInvalid("namespace_options.pid: unknown value 9");
    }

    @Test
    void failsWhereTheSandboxIsGone() {
        request.namespaces.remove("network");
        request.isRefused(OciException.Kind.FAILED, "sandbox s1 has no network namespace to join");
    }

    @Test
    void mapsIdsOfAUserNamespace() throws OciException {
        userNamespace(NamespaceMode.POD, mapping(0, 100_000, 65_536), mapping(0, 200_000, 65_536));
        assertThat(namespaces()).containsKey("user");
        assertThat(request.at("/linux/uidMappings/0").toString())
                .isEqualTo("{\"containerID\":0,\"hostID\":100000,\"size\":65536}");
        assertThat(request.at("/linux/gidMappings/0/hostID").asLong()).isEqualTo(200_000);
        assertThat(request.at("/linux").has("maskedPaths")).isFalse();
    }

    @Test
    void bindsWhatAUserNamespaceMayNotMountInTheNodesNamespaces() throws OciException {
        userNamespace(NamespaceMode.POD, mapping(0, 100_000, 65_536), mapping(0, 100_000, 65_536));
        assertThat(request.mount("/sys").path("type").asText()).isEqualTo("sysfs");
        assertThat(request.mount("/dev/mqueue").path("type").asText()).isEqualTo("mqueue");
        request.namespaces(request.security().getNamespaceOptions().toBuilder().setNetwork(NamespaceMode.NODE)
                .setIpc(NamespaceMode.NODE));
        assertThat(request.mount("/sys").path("type").asText()).isEqualTo("bind");
        assertThat(request.mount("/dev/mqueue").path("type").asText()).isEqualTo("bind");
    }

    @Test
    void refusesUserNamespacesThatCannotBe() {
        userNamespace(NamespaceMode.CONTAINER, mapping(0, 1, 1), mapping(0, 1, 1));
        request.isInvalid("userns_options.mode: CONTAINER is not supported");
        userNamespace(NamespaceMode.POD, mapping(0, 1, 1), mapping(0, 1, 1));
        request.features = HandlerFeatures.NONE;
        request.isUnsupported("userns_options: this runtime handler or node has no user namespaces");
        request.sandbox.getLinuxBuilder().getSecurityContextBuilder().clearNamespaceOptions();
        request.isInvalid("userns_options: differ from those of the container's sandbox");
    }

    @Test
    void aContainerThatSaysNothingHasTheUsersOfItsPod() throws OciException {
        userNamespace(NamespaceMode.POD, mapping(0, 100_000, 65_536), mapping(0, 100_000, 65_536));
        request.security().getNamespaceOptionsBuilder().clearUsernsOptions();
        assertThat(namespaces()).containsEntry("user", "/run/ns/user");
        request.security().getNamespaceOptionsBuilder()
                .setUsernsOptions(UserNamespace.newBuilder().setMode(NamespaceMode.NODE));
        request.isInvalid("userns_options: differ from those of the container's sandbox");
    }

    private void userNamespace(NamespaceMode mode, IDMapping uids, IDMapping gids) {
        request.namespaces.put("user", Path.of("/run/ns/user"));
        request.namespaces(NamespaceOption.newBuilder().setPid(NamespaceMode.CONTAINER)
                .setUsernsOptions(UserNamespace.newBuilder().setMode(mode).addUids(uids).addGids(gids)));
    }

    private static IDMapping mapping(int container, int host, int length) {
        return IDMapping.newBuilder().setContainerId(container).setHostId(host).setLength(length).build();
    }

    /** Type to path; empty for a new one. */
    private Map<String, String> namespaces() throws OciException {
        Map<String, String> result = new TreeMap<>();
        request.at("/linux/namespaces")
                .forEach(entry -> result.put(entry.path("type").asText(), entry.path("path").asText()));
        return result;
    }
}
