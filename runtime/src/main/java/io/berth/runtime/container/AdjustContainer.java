package io.berth.runtime.container;

import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.UpdateContainerResourcesRequest;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.oci.ResourceSection;
import io.berth.runtime.shim.Shim;
import io.berth.runtime.state.ContainerPhase;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CRI {@code UpdateContainerResources} and {@code ReopenContainerLog}: changes to a container that lives on. */
final class AdjustContainer {
    private static final Logger log = LoggerFactory.getLogger(AdjustContainer.class);

    private final ContainerDeps deps;

    AdjustContainer(ContainerDeps deps) {
        this.deps = deps;
    }

    /** Applies the limits that {@code wanted} sets to a created or running container, and remembers them. */
    void update(String idOrPrefix, LinuxContainerResources wanted) throws Exception {
        Container container = deps.containers().require(idOrPrefix);
        byte[] json = check(wanted);
        int oomScoreAdj = oomScoreAdj(container, wanted);
        container.exclusively(() -> {
            ContainerPhase phase = container.record().phase();
            if (phase != ContainerPhase.CREATED && phase != ContainerPhase.RUNNING) {
                throw new LifecycleException(LifecycleException.Kind.PRECONDITION,
                        "container " + container.id()
                                + " has ended; its resources cannot be changed");
            }
            deps.handlers().runtime(container.record().runtime()).update(container.id(), json,
                    deps.config().timeouts().oci());
            if (wanted.getOomScoreAdj() != 0) {
                OomScores.set(deps.cgroups(), container.record().cgroupsPath(), oomScoreAdj);
            }
            return deps.containers().update(container,
                    record -> record.withResources(merge(record.resources(), wanted)));
        });
    }

    /** The OCI runtime's form of the limits. */
    private byte[] check(LinuxContainerResources wanted) throws OciException {
        try {
            return ResourceSection.update(wanted, deps.host());
        } catch (OciException e) {
            throw e.in(UpdateContainerResourcesRequest.getDescriptor(), "");
        }
    }

    private int oomScoreAdj(Container container, LinuxContainerResources wanted) throws OciException {
        try {
            return ResourceSection.oomScoreAdj(wanted.getOomScoreAdj(), deps.host(),
                    warning -> log.atWarn().addKeyValue("container", container.id()).log(warning));
        } catch (OciException e) {
            throw e.in(UpdateContainerResourcesRequest.getDescriptor(), "");
        }
    }

    /** Has the shim close and open the log, after its file was renamed or its directory deleted. */
    void reopenLog(String idOrPrefix) throws Exception {
        Container container = deps.containers().require(idOrPrefix);
        Shim shim = container.shim().filter(found -> container.running())
                .orElseThrow(() -> new LifecycleException(LifecycleException.Kind.PRECONDITION, "container "
                        + container.id() + " is not running; its log is complete"));
        if (!container.record().logPath().isEmpty()) {
            Files.createDirectories(Path.of(container.record().logPath()).getParent());
        }
        shim.reopenLog(deps.config().timeouts().shim());
    }

    /** What {@code wanted} sets, over what there was: zero and empty mean unchanged. */
    static LinuxContainerResources merge(LinuxContainerResources now, LinuxContainerResources wanted) {
        LinuxContainerResources.Builder merged = now.toBuilder();
        // Merging would append to the list of page sizes; the request's list is the whole one.
        if (wanted.getHugepageLimitsCount() > 0) {
            merged.clearHugepageLimits();
        }
        return merged.mergeFrom(wanted).build();
    }
}
