package io.berth.runtime.container;

import io.berth.runtime.checkpoint.CheckpointArchive;
import io.berth.runtime.lifecycle.TimeLimit;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CRI {@code CheckpointContainer}: an archive of a running container, which runs on. */
final class CheckpointContainer {
    private static final Logger log = LoggerFactory.getLogger(CheckpointContainer.class);

    private final ContainerDeps deps;

    CheckpointContainer(ContainerDeps deps) {
        this.deps = deps;
    }

    /**
     * @param location absolute path of an archive that does not exist
     * @param limit for all of it; the container is resumed and nothing is left at {@code location} when it is over
     */
    void checkpoint(String idOrPrefix, String location, TimeLimit limit) throws Exception {
        Container container = deps.containers().require(idOrPrefix);
        Path archive = CheckpointArchive.checkLocation("location", location);
        try (ContainerCheckpoint checkpoint = ContainerCheckpoint.begin(container, deps, limit)) {
            checkpoint.pause(limit);
            checkpoint.capture(limit);
            checkpoint.resume();
            limit.left("archive the checkpoint of container " + container.id());
            checkpoint.writeTo(archive);
        }
        log.atInfo().addKeyValue("container", container.id()).addKeyValue("location", archive)
                .log("container is checkpointed");
    }
}
