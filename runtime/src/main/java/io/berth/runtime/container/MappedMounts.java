package io.berth.runtime.container;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.IDMapping;
import io.berth.linux.DetachedMount;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.LinuxException;
import io.berth.linux.Mounts;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.oci.OciSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Id-maps the volumes of a container. OCI runtimes learnt it late (runc with 1.2) and each in its own way; a mount that is mapped
 * before any of them binds it stays so.
 */
final class MappedMounts {
    private static final String UIDS = "uidMappings";
    private static final String GIDS = "gidMappings";

    private MappedMounts() {}

    /**
     * For each mount of {@code spec} that has mappings: mounts its source once more below {@code directory}, mapped, with all
     * that is mounted in it, and makes that the source.
     *
     * @throws LifecycleException PRECONDITION naming the volume and its file system where the kernel cannot map that, INVALID
     *         for mappings that it refuses
     */
    static void apply(OciSpec spec, Path directory, PodIds ids) throws IOException, LifecycleException {
        int number = 0;
        for (JsonNode mount : spec.json().path("mounts")) {
            if (mount instanceof ObjectNode object && object.has(UIDS)) {
                Path target = directory.resolve("mapped-" + number++);
                map(Path.of(object.path("source").asText()), target, ids, object);
                object.put("source", target.toString());
                object.remove(List.of(UIDS, GIDS));
            }
        }
    }

    private static void map(Path source, Path target, PodIds ids, ObjectNode mount)
            throws IOException, LifecycleException {
        String field = "config.mounts: mount at " + mount.path("destination").asText() + ": ";
        Fd namespace = ids.namespace(mappings(mount.path(UIDS)), mappings(mount.path(GIDS)), field);
        Files.createDirectories(target.getParent());
        if (Files.isDirectory(source)) {
            Files.createDirectory(target);
        } else {
            Files.createFile(target);
        }
        try (DetachedMount clone = DetachedMount.cloneOf(source, true)) {
            clone.mapIds(namespace, true);
            clone.attach(target);
        } catch (LinuxException e) {
            if (e.errno() == Errno.EINVAL) {
                throw unmappable(source, field, e);
            }
            throw e;
        }
    }

    private static LifecycleException unmappable(Path source, String field, LinuxException cause)
            throws IOException {
        String type = "";
        for (var mount : Mounts.list()) {
            if (source.startsWith(mount.mountPoint())) {
                type = mount.type();
            }
        }
        String kernel = Files.readString(Path.of("/proc/sys/kernel/osrelease")).strip();
        return new LifecycleException(LifecycleException.Kind.PRECONDITION, field + "uidMappings: Linux "
                + kernel + " cannot map the IDs of " + source + ", which is on " + type
                + " (or of something that is mounted below it); use a volume of another file system, or a newer kernel",
                cause);
    }

    private static List<IDMapping> mappings(JsonNode array) {
        List<IDMapping> mappings = new ArrayList<>();
        for (JsonNode entry : array) {
            mappings.add(IDMapping.newBuilder().setContainerId((int) entry.path("containerID").asLong())
                    .setHostId((int) entry.path("hostID").asLong())
                    .setLength((int) entry.path("size").asLong()).build());
        }
        return mappings;
    }
}
