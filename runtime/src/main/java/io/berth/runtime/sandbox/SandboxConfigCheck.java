package io.berth.runtime.sandbox;

import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxMetadata;
import io.berth.cri.v1.PortMapping;
import io.berth.runtime.lifecycle.LifecycleException;

/** What a {@code RunPodSandboxRequest} must be before anything is made. Each error names the field. */
final class SandboxConfigCheck {
    private SandboxConfigCheck() {}

    static void check(PodSandboxConfig config) throws LifecycleException {
        PodSandboxMetadata metadata = config.getMetadata();
        need(!metadata.getName().isEmpty(), "config.metadata.name is empty");
        need(!metadata.getNamespace().isEmpty(), "config.metadata.namespace is empty");
        need(!metadata.getUid().isEmpty(), "config.metadata.uid is empty");
        String logs = config.getLogDirectory();
        need(logs.isEmpty() || logs.startsWith("/"), "config.log_directory \"" + logs + "\" is not absolute");
        need(!logs.contains("\0") && !("/" + logs + "/").contains("/../"),
                "config.log_directory \"" + logs + "\" must not contain \"..\"");
        need(!config.hasWindows(), "config.windows is set, but this node runs Linux");
        for (PortMapping mapping : config.getPortMappingsList()) {
            // Without a host port a mapping only documents, and nothing is done for it.
            need(mapping.getHostPort() == 0 || isPort(mapping.getContainerPort()),
                    "config.port_mappings: container_port " + mapping.getContainerPort() + " is not a port");
            need(mapping.getHostPort() == 0 || isPort(mapping.getHostPort()),
                    "config.port_mappings: host_port " + mapping.getHostPort() + " is not a port");
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
