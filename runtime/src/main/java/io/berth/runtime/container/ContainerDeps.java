package io.berth.runtime.container;

import io.berth.imagestore.Images;
import io.berth.imagestore.Snapshots;
import io.berth.runtime.cdi.CdiDevices;
import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.oci.HostFacts;
import io.berth.runtime.sandbox.RuntimeHandlers;
import io.berth.runtime.sandbox.Sandboxes;
import io.berth.runtime.sandbox.UserNamespaces;
import io.berth.runtime.shim.Shims;
import io.berth.runtime.state.Layout;
import java.time.Clock;

/** What the container verbs stand on. */
public record ContainerDeps(Containers containers, Sandboxes sandboxes, RuntimeHandlers handlers,
        Images images,
        Snapshots snapshots, Shims shims, Cgroups cgroups, HostFacts host, UserNamespaces userNamespaces,
        CdiDevices cdi, BerthConfig config,
        Clock clock) {
    Layout layout() {
        return new Layout(config.root(), config.state());
    }
}
