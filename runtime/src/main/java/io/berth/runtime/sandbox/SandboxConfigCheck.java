package io.berth.runtime.sandbox;

import io.berth.cri.v1.IDMapping;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxMetadata;
import io.berth.cri.v1.PortMapping;
import io.berth.cri.v1.UserNamespace;
import io.berth.runtime.lifecycle.ConfigLimits;
import io.berth.runtime.lifecycle.LifecycleException;
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
        String logs = config.getLogDirectory();
        need(logs.isEmpty() || logs.startsWith("/"), "config.log_directory \"" + logs + "\" is not absolute");
        need(!logs.contains("\0") && !("/" + logs + "/").contains("/../"),
                "config.log_directory \"" + logs + "\" must not contain \"..\"");
        need(!config.hasWindows(), "config.windows is set, but this node runs Linux");
        UserNamespace user = config.getLinux().getSecurityContext().getNamespaceOptions().getUsernsOptions();
        if (user.getMode() == NamespaceMode.POD && user.getUidsCount() + user.getGidsCount() > 0) {
            need(mapsRoot(user.getUidsList()),
                    "config.linux.security_context.namespace_options.userns_options.uids"
                            + " does not map container id 0");
            need(mapsRoot(user.getGidsList()),
                    "config.linux.security_context.namespace_options.userns_options.gids"
                            + " does not map container id 0");
        }
        for (PortMapping mapping : config.getPortMappingsList()) {
            // Without a host port a mapping only documents, and nothing is done for it.
            need(mapping.getHostPort() == 0 || isPort(mapping.getContainerPort()),
                    "config.port_mappings: container_port " + mapping.getContainerPort() + " is not a port");
            need(mapping.getHostPort() == 0 || isPort(mapping.getHostPort()),
                    "config.port_mappings: host_port " + mapping.getHostPort() + " is not a port");
        }
    }

    /** A container whose root is nobody could not be set up. */
    private static boolean mapsRoot(List<IDMapping> mappings) {
        return mappings.stream()
                .anyMatch(mapping -> mapping.getContainerId() == 0 && mapping.getLength() != 0);
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
