package io.berth.runtime.sandbox;

import io.berth.cri.v1.IDMapping;
import io.berth.cri.v1.LinuxSandboxSecurityContext;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxMetadata;
import io.berth.cri.v1.PortMapping;
import io.berth.cri.v1.SecurityProfile;
import io.berth.cri.v1.SecurityProfile.ProfileType;
import io.berth.cri.v1.SupplementalGroupsPolicy;
import io.berth.cri.v1.UserNamespace;
import io.berth.runtime.lifecycle.ConfigLimits;
import io.berth.runtime.lifecycle.LifecycleException;
import java.net.InetAddress;
import java.util.List;

/** What a {@code RunPodSandboxRequest} must be before anything is made. Each error names the field. */
final class SandboxConfigCheck {
    private SandboxConfigCheck() {}

    static void check(PodSandboxConfig config) throws LifecycleException {
        ConfigLimits.check(config, config.getLabelsMap(), config.getAnnotationsMap());
        PodSandboxMetadata metadata = config.getMetadata();
        need(!metadata.getName().isEmpty(), "config.metadata.name is empty");
        need(!metadata.getNamespace().isEmpty(), "config.metadata.namespace is empty");
        need(!metadata.getUid().isEmpty(), "config.metadata.uid is empty");
        NamespaceOption options = config.getLinux().getSecurityContext().getNamespaceOptions();
        String logs = config.getLogDirectory();
        need(logs.isEmpty() || logs.startsWith("/"), "config.log_directory \"" + logs + "\" is not absolute");
        need(!logs.contains("\0") && !("/" + logs + "/").contains("/../"),
                "config.log_directory \"" + logs + "\" must not contain \"..\"");
        need(config.getHostname().isEmpty() || options.getNetwork() != NamespaceMode.NODE,
                "config.hostname is set, but a pod on the node's network has the node's name; leave it empty");
        need(options.getPid() != NamespaceMode.TARGET,
                "config.linux.security_context.namespace_options.pid: a sandbox can have POD, CONTAINER or NODE,"
                        + " not TARGET");
        need(options.getTargetId().isEmpty(),
                "config.linux.security_context.namespace_options.target_id is set, but only a container can"
                        + " join another's processes");
        checkSecurity(config.getLinux().getSecurityContext());
        UserNamespace user = options.getUsernsOptions();
        if (user.getMode() == NamespaceMode.POD && user.getUidsCount() + user.getGidsCount() > 0) {
            need(mapsRoot(user.getUidsList()),
                    "config.linux.security_context.namespace_options.userns_options.uids"
                            + " does not map container id 0");
            need(mapsRoot(user.getGidsList()),
                    "config.linux.security_context.namespace_options.userns_options.gids"
                            + " does not map container id 0");
        }
        for (PortMapping mapping : config.getPortMappingsList()) {
            check(mapping);
        }
    }

    /** Without a host port a mapping only documents the container's, and nothing is done for it. */
    private static void check(PortMapping mapping) throws LifecycleException {
        int hostPort = mapping.getHostPort();
        int containerPort = mapping.getContainerPort();
        need(hostPort == 0 || isPort(hostPort),
                "config.port_mappings.host_port " + hostPort + " is not a port");
        need((containerPort == 0 && hostPort == 0) || isPort(containerPort),
                "config.port_mappings.container_port " + containerPort + " is not a port");
        need(mapping.getHostIp().isEmpty() || isAddress(mapping.getHostIp()),
                "config.port_mappings.host_ip \"" + mapping.getHostIp() + "\" is not an IP address");
    }

    /**
     * A sandbox has no process that these fields could be about; the pod's containers say their own. What no container could
     * have is refused all the same, since it is a mistake.
     */
    private static void checkSecurity(LinuxSandboxSecurityContext security) throws LifecycleException {
        String field = "config.linux.security_context.";
        need(!security.hasRunAsGroup() || security.hasRunAsUser(), field + "run_as_group needs run_as_user");
        need(security.getSupplementalGroupsPolicy() != SupplementalGroupsPolicy.UNRECOGNIZED,
                field + "supplemental_groups_policy has an unknown value");
        checkProfile(field + "seccomp", security.getSeccomp());
        checkProfile(field + "apparmor", security.getApparmor());
    }

    private static void checkProfile(String field, SecurityProfile profile) throws LifecycleException {
        need(profile.getProfileType() != ProfileType.UNRECOGNIZED,
                field + ".profile_type has an unknown value");
        need(profile.getProfileType() != ProfileType.Localhost || !profile.getLocalhostRef().isEmpty(),
                field + ".localhost_ref is empty; name the profile");
    }

    /** A container whose root is nobody could not be set up. */
    private static boolean mapsRoot(List<IDMapping> mappings) {
        return mappings.stream()
                .anyMatch(mapping -> mapping.getContainerId() == 0 && mapping.getLength() != 0);
    }

    private static boolean isAddress(String text) {
        try {
            return !InetAddress.ofLiteral(text).isMulticastAddress();
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static boolean isPort(int number) {
        return number > 0 && number <= 65_535;
    }

    private static void need(boolean holds, String otherwise) throws LifecycleException {
        if (!holds) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, otherwise);
        }
    }
}
