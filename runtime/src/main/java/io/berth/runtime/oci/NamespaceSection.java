package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.IDMapping;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.UserNamespace;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The namespaces of a container and its id mappings, in the OCI {@code linux} object. */
final class NamespaceSection {
    private NamespaceSection() {}

    static void build(SpecInput input, ObjectNode linux) throws OciException {
        NamespaceOption options = input.namespaceOptions();
        checkAgainstSandbox(options, input.sandboxSecurity().getNamespaceOptions());
        ArrayNode namespaces = linux.putArray("namespaces");
        namespaces.addObject().put("type", "mount");
        network(input, options, namespaces);
        pid(input, options, namespaces);
        ipc(input, options, namespaces);
        uts(input, options, namespaces);
        user(input, linux, namespaces);
        if (input.host().cgroupV2() && !input.privileged()) {
            namespaces.addObject().put("type", "cgroup");
        }
    }

    /** A container cannot have a namespace of the node in a pod that has its own: nobody would expect it there. */
    private static void checkAgainstSandbox(NamespaceOption options, NamespaceOption sandbox)
            throws OciException {
        if (options.getNetwork() == NamespaceMode.NODE && sandbox.getNetwork() != NamespaceMode.NODE) {
            throw OciException.invalid("namespace_options.network",
                    "NODE, but the container's sandbox has a network of its own");
        }
        if (options.getIpc() == NamespaceMode.NODE && sandbox.getIpc() != NamespaceMode.NODE) {
            throw OciException.invalid("namespace_options.ipc",
                    "NODE, but the container's sandbox has an ipc namespace of its own");
        }
        if (!options.getTargetId().isEmpty() && options.getPid() != NamespaceMode.TARGET) {
            throw OciException.invalid("namespace_options.target_id",
                    "is set, but pid is " + options.getPid() + " and not TARGET");
        }
    }

    /** Whether the container has a user namespace of the pod's; refuses options that no pod can have. */
    static boolean hasUserNamespace(SpecInput input) throws OciException {
        NamespaceOption options = input.namespaceOptions();
        if (!options.hasUsernsOptions()) {
            return false;
        }
        return switch (options.getUsernsOptions().getMode()) {
            case NODE -> false;
            case POD -> true;
            case CONTAINER, TARGET, UNRECOGNIZED -> throw OciException.invalid("userns_options.mode",
                    options.getUsernsOptions().getMode() + " is not supported; use POD or NODE");
        };
    }

    static void addMappings(ObjectNode parent, String field, List<IDMapping> mappings) {
        ArrayNode array = parent.putArray(field);
        for (IDMapping mapping : mappings) {
            array.addObject()
                    .put("containerID", Integer.toUnsignedLong(mapping.getContainerId()))
                    .put("hostID", Integer.toUnsignedLong(mapping.getHostId()))
                    .put("size", Integer.toUnsignedLong(mapping.getLength()));
        }
    }

    private static void network(SpecInput input, NamespaceOption options, ArrayNode namespaces)
            throws OciException {
        switch (options.getNetwork()) {
            case NODE -> {
            }
            case POD -> join(namespaces, "network", pinned(input, "network"));
            case CONTAINER, TARGET, UNRECOGNIZED -> throw OciException.invalid("namespace_options.network",
                    options.getNetwork() + " is not supported; use POD or NODE");
        }
    }

    private static void pid(SpecInput input, NamespaceOption options, ArrayNode namespaces)
            throws OciException {
        switch (options.getPid()) {
            case NODE -> {
            }
            case CONTAINER -> join(namespaces, "pid", null);
            case POD -> join(namespaces, "pid", input.namespaces().get("pid"));
            case TARGET -> join(namespaces, "pid", target(input, options));
            case UNRECOGNIZED -> throw OciException.invalid("namespace_options.pid",
                    "unknown value " + options.getPidValue());
        }
    }

    private static Path target(SpecInput input, NamespaceOption options) throws OciException {
        Path path = input.namespaces().get("pid");
        if (path == null) {
            throw OciException.invalid("namespace_options.target_id",
                    "container \"" + options.getTargetId()
                            + "\" does not run; its PID namespace cannot be joined");
        }
        return path;
    }

    private static void ipc(SpecInput input, NamespaceOption options, ArrayNode namespaces)
            throws OciException {
        switch (options.getIpc()) {
            case NODE -> {
            }
            case CONTAINER -> join(namespaces, "ipc", null);
            case POD -> join(namespaces, "ipc", pinned(input, "ipc"));
            case TARGET, UNRECOGNIZED -> throw OciException.invalid("namespace_options.ipc",
                    options.getIpc() + " is not supported; use POD, CONTAINER or NODE");
        }
    }

    /**
     * The CRI has no option for it: a pod on the host's network has the host's name, every other one its own, which the
     * sandbox has set in the namespace.
     */
    private static void uts(SpecInput input, NamespaceOption options, ArrayNode namespaces)
            throws OciException {
        if (options.getNetwork() != NamespaceMode.NODE) {
            join(namespaces, "uts", pinned(input, "uts"));
        }
    }

    private static void user(SpecInput input, ObjectNode linux, ArrayNode namespaces) throws OciException {
        UserNamespace user = input.namespaceOptions().getUsernsOptions();
        boolean wanted = hasUserNamespace(input);
        boolean same = !wanted
                || user.equals(input.sandboxSecurity().getNamespaceOptions().getUsernsOptions());
        if (wanted != input.namespaces().containsKey("user") || !same) {
            throw OciException.invalid("userns_options", "differ from those of the container's sandbox");
        }
        if (!wanted) {
            return;
        }
        if (input.namespaceOptions().getPid() == NamespaceMode.NODE) {
            throw OciException.invalid("namespace_options.pid",
                    "NODE is not possible in a pod with a user namespace of its own");
        }
        if (!input.features().userNamespaces()) {
            throw OciException.unsupported("userns_options",
                    "this runtime handler or node has no user namespaces for pods; see Status.runtime_handlers");
        }
        join(namespaces, "user", input.namespaces().get("user"));
        addMappings(linux, "uidMappings", user.getUidsList());
        addMappings(linux, "gidMappings", user.getGidsList());
    }

    private static Path pinned(SpecInput input, String type) throws OciException {
        Path path = input.namespaces().get(type);
        if (path == null) {
            throw new OciException(OciException.Kind.FAILED,
                    "sandbox " + input.sandboxId() + " has no " + type
                            + " namespace to join: it is not ready");
        }
        return path;
    }

    private static void join(ArrayNode namespaces, String type, @Nullable Path path) {
        ObjectNode entry = namespaces.addObject().put("type", type);
        if (path != null) {
            entry.put("path", path.toString());
        }
    }
}
