package io.berth.runtime.sandbox;

import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.cni.CniException;
import io.berth.runtime.state.Durability;
import io.berth.runtime.state.Layout;
import io.berth.runtime.state.SandboxRecord;
import io.berth.runtime.state.StateException;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;

/** Takes apart what a sandbox is made of. Every step succeeds where there is nothing to take apart. */
final class SandboxParts {
    private final Sandboxes sandboxes;
    private final PodNetworks networks;
    private final SandboxEnvironment environment;
    private final Cgroups cgroups;
    private final Layout layout;

    SandboxParts(Sandboxes sandboxes, PodNetworks networks, SandboxEnvironment environment, Cgroups cgroups,
            Layout layout) {
        this.sandboxes = sandboxes;
        this.networks = networks;
        this.environment = environment;
        this.cgroups = cgroups;
        this.layout = layout;
    }

    /**
     * Takes the sandbox off the network, ends its pause process, and removes its namespaces, files and cgroup. Stops at the
     * first failure: CNI DEL needs the network namespace, so that must stay until DEL has succeeded.
     */
    void takeApart(Sandbox sandbox) throws CniException, IOException, InterruptedException {
        SandboxRecord record = sandbox.record();
        networks.detach(record);
        if (record.pause().isPresent()) {
            PauseProcess.end(record.pause().get());
        }
        environment.destroy(layout.sandbox(record.id()));
        removeCgroup(record);
        forgetParts(sandbox);
    }

    /** Removes the pod's cgroup, unless something is left in it: the OCI runtime may not have let go of a container yet. */
    void removeCgroup(SandboxRecord record) throws IOException {
        cgroups.removePod(record.config().getLinux().getCgroupParent(), record.id());
    }

    /** Whether the sandbox's network is as its plugins made it; empty where it is. */
    Optional<String> networkProblem(SandboxRecord record) {
        try {
            networks.check(record);
            return Optional.empty();
        } catch (CniException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }

    private void forgetParts(Sandbox sandbox) throws StateException {
        sandboxes.update(sandbox, Durability.DAEMON_CRASH, record -> record.withNetwork(Optional.empty())
                .withPause(Optional.empty()).withEnvironment(Map.of(), Map.of()));
    }
}
