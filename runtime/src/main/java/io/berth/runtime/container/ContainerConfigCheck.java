package io.berth.runtime.container;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.CreateContainerRequest;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.PodSandboxConfig;
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
        need(!config.hasWindows(), "config.windows is set, but this node runs Linux");
        for (Mount mount : config.getMountsList()) {
            need(!mount.getContainerPath().isEmpty(), "config.mounts: container_path is empty");
        }
        need(config.getWorkingDir().isEmpty() || config.getWorkingDir().startsWith("/"),
                "config.working_dir \"" + config.getWorkingDir() + "\" is not absolute");
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
