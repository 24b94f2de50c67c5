package io.berth.runtime.container;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.CreateContainerRequest;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxMetadata;
import io.berth.runtime.lifecycle.ConfigLimits;
import io.berth.runtime.lifecycle.LifecycleException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/** What a {@code CreateContainerRequest} must be before anything is made. Each error names the field. */
final class ContainerConfigCheck {
    private ContainerConfigCheck() {}

    static void check(CreateContainerRequest request) throws LifecycleException {
        ContainerConfig config = request.getConfig();
        ConfigLimits.checkMounts(config.getMountsList());
        ConfigLimits.check(config, config.getLabelsMap(), config.getAnnotationsMap());
        need(!request.getPodSandboxId().isEmpty(), "pod_sandbox_id is empty");
        need(!config.getMetadata().getName().isEmpty(), "config.metadata.name is empty");
        need(!config.getImage().getImage().isEmpty(), "config.image.image is empty");
        for (Mount mount : config.getMountsList()) {
            need(!mount.getContainerPath().isEmpty(), "config.mounts: container_path is empty");
        }
        NamespaceOption namespaces = config.getLinux().getSecurityContext().getNamespaceOptions();
        need(namespaces.getTargetId().isEmpty() || namespaces.getPid() == NamespaceMode.TARGET,
                "config.linux.security_context.namespace_options.target_id is set, but pid is not TARGET");
        need(config.getWorkingDir().isEmpty() || config.getWorkingDir().startsWith("/"),
                "config.working_dir \"" + config.getWorkingDir() + "\" is not absolute");
    }

    /**
     * The request's own copy of the sandbox's configuration. What is in force was decided when the sandbox was made, and a
     * node's DNS settings, say, may have changed since; but a copy of another pod's is a mistake.
     */
    static void checkSandbox(PodSandboxConfig copy, PodSandboxConfig sandbox) throws LifecycleException {
        if (copy.hasMetadata()) {
            PodSandboxMetadata given = copy.getMetadata();
            PodSandboxMetadata actual = sandbox.getMetadata();
            same("metadata.name", given.getName(), actual.getName());
            same("metadata.namespace", given.getNamespace(), actual.getNamespace());
            same("metadata.uid", given.getUid(), actual.getUid());
        }
        if (!copy.getLogDirectory().isEmpty()) {
            same("log_directory", copy.getLogDirectory(), sandbox.getLogDirectory());
        }
    }

    private static void same(String field, String given, String actual) throws LifecycleException {
        need(given.equals(actual),
                "sandbox_config." + field + " \"" + given + "\" is not the sandbox's, which is \""
                        + actual + "\"; send the configuration that the sandbox was run with");
    }

    /**
     * The log file: {@code log_path} below the sandbox's {@code log_directory}. Empty where the request wants no log.
     *
     * @throws LifecycleException INVALID where the path would leave the directory
     */
    static Optional<Path> logFile(PodSandboxConfig sandbox, ContainerConfig config)
            throws LifecycleException {
        if (config.getLogPath().isEmpty() || sandbox.getLogDirectory().isEmpty()) {
            return Optional.empty();
        }
        try {
            Path directory = Path.of(sandbox.getLogDirectory()).normalize();
            Path relative = Path.of(config.getLogPath());
            Path file = directory.resolve(relative).normalize();
            need(!relative.isAbsolute() && file.startsWith(directory) && !file.equals(directory),
                    "config.log_path \"" + config.getLogPath()
                            + "\" must be a relative path below the sandbox's log_directory \""
                            + sandbox.getLogDirectory() + "\"");
            return Optional.of(file);
        } catch (InvalidPathException e) {
            throw new LifecycleException(LifecycleException.Kind.INVALID,
                    "config.log_path is not a path: " + e.getReason(), e);
        }
    }

    private static void need(boolean holds, String otherwise) throws LifecycleException {
        if (!holds) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, otherwise);
        }
    }
}
