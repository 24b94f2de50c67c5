package io.berth.runtime.container;

import io.berth.cri.v1.IDMapping;
import io.berth.cri.v1.UserNamespace;
import io.berth.linux.Fd;
import io.berth.linux.IdMaps;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.sandbox.UserNamespaces;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The user namespaces by which one container's mounts are id-mapped, open until the container is made. */
final class PodIds implements AutoCloseable {
    private final UserNamespaces userNamespaces;
    private final Optional<IdMaps> ofPod;
    private final Map<IdMaps, Fd> open = new HashMap<>();

    private PodIds(UserNamespaces userNamespaces, Optional<IdMaps> ofPod) {
        this.userNamespaces = userNamespaces;
        this.ofPod = ofPod;
    }

    /** With the user namespace that {@code sandbox} has pinned, if any. */
    static PodIds of(Sandbox sandbox, UserNamespaces userNamespaces) throws IOException {
        @Nullable
        Path pinned = sandbox.record().namespaces().get("user");
        if (pinned == null) {
            return new PodIds(userNamespaces, Optional.empty());
        }
        UserNamespace options = sandbox.namespaceOptions().getUsernsOptions();
        IdMaps maps = UserNamespaces.maps(options.getUidsList(), options.getGidsList());
        PodIds ids = new PodIds(userNamespaces, Optional.of(maps));
        ids.open.put(maps, Openat.open(RawPath.of(pinned), OpenFlags.O_RDONLY));
        return ids;
    }

    /** The maps of the pod's user namespace; empty where it has the node's. */
    Optional<IdMaps> ofPod() {
        return ofPod;
    }

    /** The pod's user namespace; empty where it has the node's. */
    Optional<Fd> namespaceOfPod() {
        return ofPod.map(open::get);
    }

    /**
     * A user namespace with these mappings; the pod's where they are its own.
     *
     * @param field where the request has them, for errors
     * @throws LifecycleException PRECONDITION where the node makes none, INVALID where it refuses the maps
     */
    Fd namespace(List<IDMapping> users, List<IDMapping> groups, String field)
            throws IOException, LifecycleException {
        IdMaps maps = UserNamespaces.maps(users, groups);
        @Nullable
        Fd namespace = open.get(maps);
        if (namespace == null) {
            namespace = userNamespaces.open(maps, field);
            open.put(maps, namespace);
        }
        return namespace;
    }

    @Override
    public void close() {
        open.values().forEach(Fd::close);
    }
}
