package io.berth.runtime.sandbox;

import io.berth.cri.v1.RunPodSandboxRequest;
import io.berth.cri.v1.UpdatePodSandboxResourcesRequest;
import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.cni.Cni;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.events.Events;
import io.berth.runtime.oci.HostFacts;
import io.berth.runtime.shim.Shims;
import io.berth.runtime.state.Layout;
import io.berth.runtime.state.SandboxRecord;
import java.time.Clock;
import java.util.List;

/** What can happen to sandboxes: the CRI verbs, and the taking up of an earlier daemon's. */
public final class SandboxLifecycle {
    private final RunPodSandbox run;
    private final EndSandbox end;
    private final RecoverSandboxes recover;
    private final NetworkCollector collector;
    private final UpdatePodResources resources;

    public SandboxLifecycle(Sandboxes sandboxes, RuntimeHandlers handlers, PodContainers containers,
            SandboxEnvironment environment, Cni cni, Cgroups cgroups, Shims shims, BerthConfig config,
            Events events, HostFacts host, Clock clock) {
        Layout layout = new Layout(config.root(), config.state());
        PodNetworks networks = new PodNetworks(cni, config.cni().timeout());
        SandboxParts parts = new SandboxParts(sandboxes, networks, environment, cgroups, layout);
        this.run = new RunPodSandbox(sandboxes, handlers, environment, networks, cgroups, shims,
                config.timeouts().shim(), layout, events, host, clock);
        this.end = new EndSandbox(sandboxes, containers, parts, events, clock);
        this.resources = new UpdatePodResources(sandboxes, cgroups, host);
        this.collector = new NetworkCollector(sandboxes, cni);
        this.recover = new RecoverSandboxes(sandboxes, parts, environment, layout);
    }

    /** CRI {@code RunPodSandbox}. An equal request for a name that is in flight or ready gets that sandbox. */
    public Sandbox run(RunPodSandboxRequest request) throws Exception {
        return run.run(request);
    }

    /** CRI {@code StopPodSandbox}; absent is success. */
    public void stop(String idOrPrefix) throws Exception {
        end.stop(idOrPrefix);
    }

    /** CRI {@code RemovePodSandbox}; absent is success. */
    public void remove(String idOrPrefix) throws Exception {
        end.remove(idOrPrefix);
        collector.soon();
    }

    /** CRI {@code UpdatePodSandboxResources}. */
    public void update(UpdatePodSandboxResourcesRequest request) throws Exception {
        resources.update(request);
    }

    /**
     * Takes up the sandboxes of an earlier daemon; to be called once, before the first request.
     *
     * @param rebooted whether the node has restarted since
     */
    public void recover(List<SandboxRecord> records, boolean rebooted) throws Exception {
        recover.recover(records, rebooted);
        collector.soon();
    }
}
