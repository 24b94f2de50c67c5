package io.berth.runtime.container;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.NamespaceOption;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.state.SandboxRecord;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** Which namespaces a container joins: those of its sandbox, and the PID namespace that its own options name. */
final class PodNamespaces {
    private PodNamespaces() {}

    /**
     * Namespace files by OCI type.
     *
     * @throws LifecycleException INVALID where the options ask for a namespace that the sandbox does not have,
     *         PRECONDITION where the target container does not run
     */
    static Map<String, Path> joined(ContainerConfig config, Sandbox sandbox, Containers containers)
            throws LifecycleException {
        SandboxRecord record = sandbox.record();
        NamespaceOption options = config.getLinux().getSecurityContext().hasNamespaceOptions()
                ? config.getLinux().getSecurityContext().getNamespaceOptions()
                : sandbox.namespaceOptions();
        Map<String, Path> joined = new HashMap<>(record.namespaces());
        switch (options.getPid()) {
            case POD -> joined.put("pid", processNamespace(record.pause()
                    .orElseThrow(
                            () -> invalid("POD, but the sandbox was made without a shared PID namespace"))
                    .pid()));
            case TARGET ->
                joined.put("pid", processNamespace(targetPid(options.getTargetId(), sandbox, containers)));
            case CONTAINER, NODE -> joined.remove("pid");
            case UNRECOGNIZED -> throw invalid("a mode that Berth does not know");
        }
        return joined;
    }

    private static long targetPid(String targetId, Sandbox sandbox, Containers containers)
            throws LifecycleException {
        Container target = containers.find(targetId).filter(found -> found.sandbox() == sandbox)
                .orElseThrow(() -> invalid("TARGET, but target_id \"" + targetId
                        + "\" is no container of the sandbox"));
        long pid = target.record().process().pid();
        if (!target.running() || pid == 0) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "target container "
                    + target.id() + " does not run");
        }
        return pid;
    }

    private static Path processNamespace(long pid) {
        return Path.of("/proc", Long.toString(pid), "ns", "pid");
    }

    private static LifecycleException invalid(String what) {
        return new LifecycleException(LifecycleException.Kind.INVALID,
                "config.linux.security_context.namespace_options.pid is " + what);
    }
}
