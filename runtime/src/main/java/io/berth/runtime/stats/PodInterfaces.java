package io.berth.runtime.stats;

import io.berth.linux.NetworkInterfaces;
import io.berth.runtime.sandbox.SandboxEnvironment;
import io.berth.runtime.state.SandboxRecord;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The counters of a pod's network interfaces. */
public final class PodInterfaces {
    private static final Logger log = LoggerFactory.getLogger(PodInterfaces.class);

    private final SandboxEnvironment environment;

    public PodInterfaces(SandboxEnvironment environment) {
        this.environment = environment;
    }

    /**
     * Those that lead out of the pod, without {@code lo}; empty for a pod on the host's network, whose traffic nobody can tell from
     * the node's.
     */
    Optional<List<NetworkInterfaces.Statistics>> read(SandboxRecord record) {
        @Nullable
        Path netns = record.namespaces().get("network");
        if (netns == null) {
            return Optional.empty();
        }
        try {
            return Optional.of(environment.interfaces(netns).stream()
                    .filter(counters -> !counters.name().equals("lo")).toList());
        } catch (IOException e) {
            // The pod may be stopped meanwhile; the rest of its statistics is worth having.
            log.atDebug().addKeyValue("sandbox", record.id()).setCause(e).log("cannot read interfaces");
            return Optional.empty();
        }
    }
}
