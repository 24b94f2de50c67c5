package io.berth.runtime.oci;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.LinuxContainerSecurityContext;
import io.berth.cri.v1.LinuxSandboxSecurityContext;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.imagestore.Image;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * Everything that decides a container's OCI spec.
 *
 * @param rootfs the mounted root filesystem, for reading passwd and group files
 * @param namespaces namespace files to join, by OCI type ({@code network}, {@code ipc}, {@code uts}, {@code pid},
 *        {@code user}); a type that is absent is either new (pid, mount) or the host's, as the CRI options say
 * @param files the sandbox's own {@code hostname}, {@code hosts}, {@code resolv.conf} and {@code shm}, by name
 * @param cgroupsPath the spec's {@code linux.cgroupsPath}, in the form that the cgroup driver wants
 * @param ociVersion what the OCI runtime accepts
 * @param features what the handler's OCI runtime can do
 * @param seccompDefault a profile file in place of the built-in RuntimeDefault
 * @param selinux the container's contexts ({@link SelinuxLabels#of}); empty where it is not labelled
 * @param defaultPidsLimit 0 for none
 * @param imageVolumes what of its mounted image each image volume of the request shows
 * @param anonymousVolumes the container's own directories for the image's volumes, by their path in the image
 */
public record SpecInput(String containerId, String sandboxId, ContainerConfig container,
        PodSandboxConfig sandbox,
        Image image, Path rootfs, Map<String, Path> namespaces, Map<String, Path> files, String cgroupsPath,
        String ociVersion, HandlerFeatures features, HostFacts host, Optional<Path> seccompDefault,
        Optional<SelinuxLabels> selinux, long defaultPidsLimit,
        Map<Mount, Path> imageVolumes, Map<Path, Path> anonymousVolumes) {

    LinuxContainerSecurityContext security() {
        return container.getLinux().getSecurityContext();
    }

    LinuxSandboxSecurityContext sandboxSecurity() {
        return sandbox.getLinux().getSecurityContext();
    }

    LinuxContainerResources resources() {
        return container.getLinux().getResources();
    }

    boolean privileged() {
        return security().getPrivileged();
    }

    /** The container's namespace options; the sandbox's where it has none of its own. */
    NamespaceOption namespaceOptions() {
        NamespaceOption pod = sandboxSecurity().getNamespaceOptions();
        if (!security().hasNamespaceOptions()) {
            return pod;
        }
        NamespaceOption own = security().getNamespaceOptions();
        // POD is the default of a field that nobody set, and means the pod's, which may be the node's.
        NamespaceOption.Builder merged = own.toBuilder()
                .setNetwork(own.getNetwork() == NamespaceMode.POD ? pod.getNetwork() : own.getNetwork())
                .setIpc(own.getIpc() == NamespaceMode.POD ? pod.getIpc() : own.getIpc());
        if (!own.hasUsernsOptions() && pod.hasUsernsOptions()) {
            merged.setUsernsOptions(pod.getUsernsOptions());
        }
        return merged.build();
    }
}
