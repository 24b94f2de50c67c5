package io.berth.runtime.container;

import io.berth.runtime.oci.OciRuntime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What lies in the daemon's directories under the name of no known container: left by a lost database, or by hand. */
final class Orphans {
    private static final Logger log = LoggerFactory.getLogger(Orphans.class);
    private static final Pattern ID = Pattern.compile("[0-9a-f]{64}");

    private final ContainerDeps deps;
    private final ContainerParts parts;

    Orphans(ContainerDeps deps, ContainerParts parts) {
        this.deps = deps;
        this.parts = parts;
    }

    /** Their ids. To be called before the first request, so that no new container is among them. */
    Set<String> find(Set<String> known) throws IOException {
        Set<String> found = new TreeSet<>(names(deps.layout().containersState()));
        found.addAll(names(deps.layout().containersRoot()));
        deps.snapshots().keys().forEach(key -> found.add(ImageVolumes.container(key)));
        for (OciRuntime runtime : deps.handlers().all()) {
            found.addAll(names(runtime.stateRoot()));
        }
        found.removeIf(name -> known.contains(name) || !ID.matcher(name).matches());
        return found;
    }

    /** Ends and deletes them, whatever they are. */
    void clean(Set<String> ids) {
        for (String id : ids) {
            try {
                deps.shims().end(deps.layout().shim(id), id);
                for (OciRuntime runtime : deps.handlers().all()) {
                    if (Files.exists(runtime.stateRoot().resolve(id))) {
                        runtime.delete(id, deps.config().timeouts().oci());
                    }
                }
                parts.deleteFiles(id);
                log.atWarn().addKeyValue("container", id)
                        .log("cleaned up what belongs to no known container");
            } catch (IOException e) {
                log.atError().addKeyValue("container", id).setCause(e)
                        .log("could not clean up what belongs to no known container");
            }
        }
    }

    private static List<String> names(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.map(entry -> entry.getFileName().toString()).toList();
        }
    }
}
