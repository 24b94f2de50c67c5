package io.berth.runtime.service;

import io.berth.imagestore.Images;
import io.berth.imagestore.Snapshots;
import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.cni.Cni;
import io.berth.runtime.oci.HostFacts;
import io.berth.runtime.oci.OciRuntime;
import io.berth.runtime.sandbox.SandboxEnvironment;
import io.berth.runtime.sandbox.UserNamespaces;
import io.berth.runtime.shim.Shims;
import java.time.Clock;
import java.util.Map;

/**
 * Everything that the CRI services stand on.
 *
 * @param runtimes OCI runtimes by handler name; the default handler of the configuration is among them
 * @param userNamespaces makes those that say how a mount's IDs are mapped
 * @param version Berth's own version, for CRI {@code Version}
 */
public record Seams(Images images, Snapshots snapshots, Shims shims, Map<String, OciRuntime> runtimes,
        Cgroups cgroups, Cni cni, SandboxEnvironment environment, HostFacts host, Clock clock,
        UserNamespaces userNamespaces, String version) {}
