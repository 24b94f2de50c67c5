package io.berth.runtime.state;

import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxMetadata;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A sandbox as it is persisted.
 *
 * @param requestedHandler the request's {@code runtime_handler}; empty for the default
 * @param runtime the configured OCI runtime that it stands for
 * @param createdAtNanos since the epoch
 * @param cgroup the pod's own cgroup in the driver's form; empty until it is made
 * @param namespaces pinned namespace files by OCI type
 * @param files the sandbox's files for its containers, by name
 * @param network what CNI ADD gave; empty on the host's network, before ADD and after DEL
 * @param pause PID 1 of a pod-shared PID namespace
 * @param selinuxLevel that keeps this pod's containers apart from other pods'; empty where SELinux has no levels or is not there
 */
public record SandboxRecord(String id, SandboxPhase phase, PodSandboxConfig config, String requestedHandler,
        String runtime, long createdAtNanos, String cgroup, Map<String, Path> namespaces,
        Map<String, Path> files, Optional<Attachment> network, Optional<Pause> pause, String selinuxLevel) {
    /** The result of CNI ADD, kept for DEL. */
    public record Attachment(List<String> ips, String resultJson, String configJson) {}

    /** @param startTicks the process's start time in clock ticks since boot, which tells it from a later one of its pid */
    public record Pause(long pid, long startTicks) {}

    /** What a caller's retry has in common with its first try. */
    public String nameKey() {
        return nameKey(config.getMetadata());
    }

    /** The same of a request. */
    public static String nameKey(PodSandboxMetadata metadata) {
        return String.join("/", metadata.getNamespace(), metadata.getName(), metadata.getUid(),
                Integer.toUnsignedString(metadata.getAttempt()));
    }

    public SandboxRecord withPhase(SandboxPhase next) {
        return new SandboxRecord(id, next, config, requestedHandler, runtime, createdAtNanos, cgroup,
                namespaces,
                files, network, pause, selinuxLevel);
    }

    public SandboxRecord withCgroup(String path) {
        return new SandboxRecord(id, phase, config, requestedHandler, runtime, createdAtNanos, path,
                namespaces,
                files, network, pause, selinuxLevel);
    }

    public SandboxRecord withEnvironment(Map<String, Path> newNamespaces, Map<String, Path> newFiles) {
        return new SandboxRecord(id, phase, config, requestedHandler, runtime, createdAtNanos, cgroup,
                Map.copyOf(newNamespaces), Map.copyOf(newFiles), network, pause, selinuxLevel);
    }

    public SandboxRecord withNetwork(Optional<Attachment> attachment) {
        return new SandboxRecord(id, phase, config, requestedHandler, runtime, createdAtNanos, cgroup,
                namespaces,
                files, attachment, pause, selinuxLevel);
    }

    public SandboxRecord withPause(Optional<Pause> process) {
        return new SandboxRecord(id, phase, config, requestedHandler, runtime, createdAtNanos, cgroup,
                namespaces,
                files, network, process, selinuxLevel);
    }

    public SandboxRecord withConfig(PodSandboxConfig newConfig) {
        return new SandboxRecord(id, phase, newConfig, requestedHandler, runtime, createdAtNanos, cgroup,
                namespaces, files, network, pause, selinuxLevel);
    }
}
