package io.berth.runtime.oci;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.SELinuxOption;
import io.berth.runtime.oci.SelinuxPolicy.Context;
import java.util.Optional;

/**
 * The SELinux contexts of a container, or of what its pod's containers share.
 *
 * @param process the context of its processes
 * @param mount the context of its files
 */
public record SelinuxLabels(String process, String mount) {
    /** What container-selinux, and so every policy with containers, calls them. */
    private static final Context PROCESS = new Context("system_u", "system_r", "container_t");
    private static final Context FILE = new Context("system_u", "object_r", "container_file_t");

    /**
     * Of a container: what it asks for, else what its pod does, else what the policy has for containers. Without SELinux options
     * are without effect, as Kubernetes has it: pods carry labels to nodes of both kinds. Privileged containers have none.
     *
     * @param level the pod's own level, for options that name none
     * @throws OciException INVALID for a part with a colon, which would be another part
     */
    public static Optional<SelinuxLabels> of(HostFacts host, PodSandboxConfig pod, ContainerConfig container,
            String level) throws OciException {
        SELinuxOption own = container.getLinux().getSecurityContext().getSelinuxOptions();
        check(own);
        if (host.selinux().isEmpty() || container.getLinux().getSecurityContext().getPrivileged()) {
            return Optional.empty();
        }
        return of(host.selinux().get(),
                isEmpty(own) ? pod.getLinux().getSecurityContext().getSelinuxOptions() : own, level);
    }

    /**
     * Of what the containers of a pod share.
     *
     * @throws OciException as {@link #of(HostFacts, PodSandboxConfig, ContainerConfig, String)}
     */
    public static Optional<SelinuxLabels> ofPod(HostFacts host, PodSandboxConfig pod, String level)
            throws OciException {
        SELinuxOption wanted = pod.getLinux().getSecurityContext().getSelinuxOptions();
        check(wanted);
        return host.selinux().isEmpty() ? Optional.empty() : of(host.selinux().get(), wanted, level);
    }

    private static Optional<SelinuxLabels> of(SelinuxPolicy policy, SELinuxOption wanted, String podLevel) {
        if (isEmpty(wanted) && policy.process().isEmpty()) {
            return Optional.empty();
        }
        Context process = policy.process().orElse(PROCESS);
        Context file = policy.file().orElse(FILE);
        String level = orElse(wanted.getLevel(), orElse(podLevel, policy.levels() ? "s0" : ""));
        String user = orElse(wanted.getUser(), process.user());
        return Optional.of(new SelinuxLabels(
                new Context(user, orElse(wanted.getRole(), process.role()),
                        orElse(wanted.getType(), process.type())).withLevel(level),
                new Context(orElse(wanted.getUser(), file.user()), file.role(), file.type())
                        .withLevel(level)));
    }

    private static boolean isEmpty(SELinuxOption options) {
        return options.equals(SELinuxOption.getDefaultInstance());
    }

    private static void check(SELinuxOption wanted) throws OciException {
        check("selinux_options.user", wanted.getUser());
        check("selinux_options.role", wanted.getRole());
        check("selinux_options.type", wanted.getType());
    }

    private static void check(String field, String part) throws OciException {
        if (part.indexOf(':') >= 0) {
            throw OciException.invalid(field, "\"" + part + "\" holds a colon");
        }
    }

    private static String orElse(String value, String fallback) {
        return value.isEmpty() ? fallback : value;
    }
}
