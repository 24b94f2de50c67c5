package io.berth.runtime.sandbox;

import io.berth.cri.v1.IDMapping;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.UserNamespace;
import io.berth.linux.IdMaps;
import io.berth.linux.NamespaceType;
import io.berth.runtime.lifecycle.LifecycleException;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Which namespaces a sandbox has of its own.
 *
 * @param types those to be made, with their OCI names
 * @param user the ID maps of the user namespace that is to own them; empty where it is the host's
 */
record NamespacePlan(Map<NamespaceType, String> types, Optional<IdMaps> user) {
    private static final String FIELD = "config.linux.security_context.namespace_options.";

    NamespacePlan {
        types = Collections.unmodifiableMap(new EnumMap<>(types));
    }

    static NamespacePlan of(PodSandboxConfig config) throws LifecycleException {
        NamespaceOption options = config.getLinux().getSecurityContext().getNamespaceOptions();
        EnumMap<NamespaceType, String> types = new EnumMap<>(NamespaceType.class);
        if (ofPod("network", options.getNetwork())) {
            types.put(NamespaceType.NETWORK, "network");
            // The CRI has no option for UTS: a pod on the host's network has the host's name.
            types.put(NamespaceType.UTS, "uts");
        }
        if (ofPod("ipc", options.getIpc())) {
            types.put(NamespaceType.IPC, "ipc");
        }
        if (options.getPid() == NamespaceMode.TARGET || options.getPid() == NamespaceMode.UNRECOGNIZED) {
            throw invalid(FIELD + "pid: a sandbox can have POD, CONTAINER or NODE, not " + options.getPid());
        }
        if (!options.getTargetId().isEmpty()) {
            throw invalid(FIELD + "target_id: a sandbox has no process to share");
        }
        return new NamespacePlan(types, userNamespace(options, types));
    }

    boolean has(NamespaceType type) {
        return types.containsKey(type);
    }

    private static boolean ofPod(String field, NamespaceMode mode) throws LifecycleException {
        return switch (mode) {
            case POD -> true;
            case NODE -> false;
            case CONTAINER, TARGET, UNRECOGNIZED ->
                throw invalid(FIELD + field + ": a sandbox can have POD or NODE, not "
                        + mode);
        };
    }

    private static Optional<IdMaps> userNamespace(NamespaceOption options, Map<NamespaceType, String> types)
            throws LifecycleException {
        UserNamespace user = options.getUsernsOptions();
        if (!options.hasUsernsOptions() || user.getMode() == NamespaceMode.NODE) {
            return Optional.empty();
        }
        String field = FIELD + "userns_options";
        if (user.getMode() != NamespaceMode.POD) {
            throw invalid(field + ".mode: a sandbox can have POD or NODE, not " + user.getMode());
        }
        if (!types.containsKey(NamespaceType.IPC)) {
            throw invalid(field + ": a pod with a user namespace of its own must have its own ipc, too");
        }
        if (options.getPid() == NamespaceMode.NODE) {
            throw invalid(
                    field + ": a pod with a user namespace of its own cannot have the node's pid namespace");
        }
        checkRanges(field + ".uids", user.getUidsList());
        checkRanges(field + ".gids", user.getGidsList());
        types.put(NamespaceType.USER, "user");
        return Optional.of(UserNamespaces.maps(user.getUidsList(), user.getGidsList()));
    }

    private static void checkRanges(String field, List<IDMapping> mappings) throws LifecycleException {
        if (mappings.isEmpty()) {
            throw invalid(field + " is empty: a user namespace needs a range");
        }
        for (IDMapping mapping : mappings) {
            if (mapping.getLength() == 0) {
                throw invalid(field + " has a range of length 0");
            }
        }
    }

    private static LifecycleException invalid(String message) {
        return new LifecycleException(LifecycleException.Kind.INVALID, message);
    }
}
