package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.LinuxContainerSecurityContext;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageConfig;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** A request that a test changes where it matters; by itself it is a plain pod container on a plain node. */
final class SpecRequest {
    static final Set<String> NODE_CAPABILITIES = Capabilities.ofMask(0x1ff_ffff_ffffL);

    final ContainerConfig.Builder container = ContainerConfig.newBuilder().addCommand("/bin/true");
    final PodSandboxConfig.Builder sandbox = PodSandboxConfig.newBuilder().setHostname("pod-1");
    final Map<String, Path> namespaces = new HashMap<>(
            Map.of("network", Path.of("/run/ns/net"), "ipc", Path.of("/run/ns/ipc"), "uts",
                    Path.of("/run/ns/uts")));
    final Map<String, Path> files = new HashMap<>();
    final Map<Mount, Path> imageVolumes = new HashMap<>();
    final Map<Path, Path> anonymousVolumes = new TreeMap<>();
    final List<String> entrypoint = new ArrayList<>();
    final List<String> cmd = new ArrayList<>();
    final List<String> imageEnv = new ArrayList<>();
    String imageUser = "";
    String imageWorkingDir = "";
    String cgroupsPath = "/pod/c1";
    String ociVersion = "1.0.2";
    Path rootfs;
    HostFacts host = host(false);
    HandlerFeatures features = new HandlerFeatures(true, true);
    Optional<Path> seccompDefault = Optional.empty();
    long pidsLimit;
    String selinuxLevel = "";

    SpecRequest(Path rootfs) {
        this.rootfs = rootfs;
        namespaces(NamespaceOption.newBuilder().setPid(NamespaceMode.CONTAINER));
    }

    /** A node with everything but LSMs, on cgroup v1 or v2. */
    static HostFacts host(boolean cgroupV2) {
        return new HostFacts(NODE_CAPABILITIES, true, 0, true, false, Optional.empty(), cgroupV2, true,
                Optional.empty(),
                true,
                Set.of("cpu", "cpuset", "memory", "pids", "hugetlb"), new KernelVersion(6, 1));
    }

    static HostFacts hostWithoutX32() {
        return new HostFacts(NODE_CAPABILITIES, true, 0, true, false, Optional.empty(), true, true,
                Optional.empty(),
                false,
                Set.of("memory"), new KernelVersion(6, 1));
    }

    static HostFacts appArmorHost() {
        return new HostFacts(NODE_CAPABILITIES, true, 0, true, true, Optional.empty(), true, true,
                Optional.empty(),
                true,
                Set.of("memory"),
                new KernelVersion(6, 1));
    }

    static HostFacts seLinuxHost(SelinuxPolicy selinux) {
        return new HostFacts(NODE_CAPABILITIES, true, 0, true, false, Optional.of(selinux), true, true,
                Optional.empty(),
                true,
                Set.of("memory"),
                new KernelVersion(6, 1));
    }

    /** A kernel built with little: no seccomp, no swap accounting, no hugetlb, and a daemon with few rights. */
    static HostFacts poorHost() {
        return new HostFacts(Set.of("CAP_CHOWN", "CAP_KILL"), false, 50, false, false, Optional.empty(),
                false, false,
                Optional.of("off"), false,
                Set.of("memory"), new KernelVersion(5, 4));
    }

    LinuxContainerSecurityContext.Builder security() {
        return container.getLinuxBuilder().getSecurityContextBuilder();
    }

    LinuxContainerResources.Builder resources() {
        return container.getLinuxBuilder().getResourcesBuilder();
    }

    SpecRequest namespaces(NamespaceOption.Builder options) {
        security().setNamespaceOptions(options);
        sandbox.getLinuxBuilder().getSecurityContextBuilder().setNamespaceOptions(options);
        return this;
    }

    SpecRequest privileged() {
        security().setPrivileged(true);
        sandbox.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
        return this;
    }

    OciSpec build() throws OciException {
        ImageConfig config = new ImageConfig("linux", "amd64", "", imageUser, imageEnv, entrypoint, cmd,
                imageWorkingDir, "", List.of(), List.of(), Map.of());
        Image image = new Image("sha256:0", List.of(), List.of(), 0, config, "sha256:1", "{}", "{}",
                List.of(),
                false, Instant.EPOCH);
        return SpecBuilder.build(new SpecInput("c1", "s1", container.build(), sandbox.build(), image, rootfs,
                namespaces, files, cgroupsPath, ociVersion, features, host, seccompDefault,
                SelinuxLabels.of(host, sandbox.build(), container.build(), selinuxLevel), pidsLimit,
                imageVolumes, anonymousVolumes));
    }

    /** The built spec's node at a JSON pointer. */
    JsonNode at(String pointer) throws OciException {
        return build().json().at(pointer);
    }

    /** The texts of an array of the built spec. */
    List<String> texts(String pointer) throws OciException {
        List<String> result = new ArrayList<>();
        at(pointer).forEach(node -> result.add(node.asText()));
        return result;
    }

    /** The mount at {@code destination}; fails where there is none. */
    JsonNode mount(String destination) throws OciException {
        for (JsonNode mount : at("/mounts")) {
            if (mount.path("destination").asText().equals(destination)) {
                return mount;
            }
        }
        throw new AssertionError("no mount at " + destination + " in " + at("/mounts"));
    }

    void isRefused(OciException.Kind kind, String message) {
        assertThatThrownBy(this::build).isInstanceOfSatisfying(OciException.class, e -> {
            assertThat(e.getMessage()).contains(message);
            assertThat(e.kind()).isEqualTo(kind);
        });
    }

    void isInvalid(String message) {
        isRefused(OciException.Kind.INVALID, message);
    }

    void isUnsupported(String message) {
        isRefused(OciException.Kind.UNSUPPORTED, message);
    }
}
