package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.linux.Capability;
import java.util.List;
import java.util.Locale;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The capability sets of a container's first process (capabilities(7)).
 *
 * @param granted bounding, effective and permitted
 * @param ambient ambient and inheritable
 */
record Capabilities(NavigableSet<String> granted, NavigableSet<String> ambient) {
    private static final String ALL = "ALL";
    private static final String PREFIX = "CAP_";

    private static final Set<String> NAMES = Stream.of(Capability.values()).map(Capability::name)
            .collect(Collectors.toUnmodifiableSet());

    /** What a container has that asks for nothing: the set on which the field has agreed. */
    private static final Set<String> DEFAULT = Set.of("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID",
            "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP",
            "CAP_SETPCAP",
            "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE");

    /** The names of a kernel bit mask; bits that have no name here are left out. */
    static NavigableSet<String> ofMask(long mask) {
        NavigableSet<String> result = new TreeSet<>();
        long rest = mask;
        for (Capability capability : Capability.values()) {
            if ((rest & 1) != 0) {
                result.add(capability.name());
            }
            rest >>>= 1;
        }
        return result;
    }

    /**
     * The sets for a request: ALL first, then the named ones; a capability both added and dropped is dropped.
     *
     * @param host the daemon's bounding set; ALL, privileged and the defaults mean what of them it has
     * @throws OciException INVALID for an unknown name, UNSUPPORTED for one by name that the daemon cannot give
     */
    static Capabilities of(io.berth.cri.v1.Capability request, boolean privileged, Set<String> host)
            throws OciException {
        if (privileged) {
            return new Capabilities(new TreeSet<>(host), new TreeSet<>());
        }
        NavigableSet<String> granted = new TreeSet<>(DEFAULT);
        granted.retainAll(host);
        if (request.getAddCapabilitiesList().stream().anyMatch(Capabilities::isAll)) {
            granted.addAll(host);
        }
        if (request.getDropCapabilitiesList().stream().anyMatch(Capabilities::isAll)) {
            granted.clear();
        }
        granted.addAll(named(request.getAddCapabilitiesList(), "capabilities.add_capabilities", host));
        NavigableSet<String> ambient = ambient(request, host);
        granted.addAll(ambient);
        NavigableSet<String> dropped = named(request.getDropCapabilitiesList(),
                "capabilities.drop_capabilities",
                null);
        granted.removeAll(dropped);
        ambient.removeAll(dropped);
        return new Capabilities(granted, ambient);
    }

    private static NavigableSet<String> ambient(io.berth.cri.v1.Capability request, Set<String> host)
            throws OciException {
        NavigableSet<String> ambient = named(request.getAddAmbientCapabilitiesList(),
                "capabilities.add_ambient_capabilities", host);
        if (request.getAddAmbientCapabilitiesList().stream().anyMatch(Capabilities::isAll)) {
            ambient.addAll(host);
        }
        return ambient;
    }

    private static NavigableSet<String> named(List<String> names, String field,
            @Nullable Set<String> host) throws OciException {
        NavigableSet<String> result = new TreeSet<>();
        for (String name : names) {
            if (isAll(name)) {
                continue;
            }
            String upper = name.toUpperCase(Locale.ROOT);
            String full = upper.startsWith(PREFIX) ? upper : PREFIX + upper;
            if (!NAMES.contains(full)) {
                throw OciException.invalid(field, "unknown capability \"" + name + "\"");
            }
            if (host != null && !host.contains(full)) {
                throw OciException.unsupported(field,
                        full + " cannot be given: it is not in the bounding set of the berth daemon");
            }
            result.add(full);
        }
        return result;
    }

    private static boolean isAll(String name) {
        return name.equalsIgnoreCase(ALL) || name.equalsIgnoreCase(PREFIX + ALL);
    }

    /** The OCI {@code process.capabilities} object. */
    ObjectNode json() {
        ObjectNode json = OciSpec.object();
        json.set("bounding", OciSpec.strings(granted));
        json.set("effective", OciSpec.strings(granted));
        json.set("permitted", OciSpec.strings(granted));
        // Inheritable stays empty without ambient ones: a set file capability must not widen an exec.
        json.set("inheritable", OciSpec.strings(ambient));
        json.set("ambient", OciSpec.strings(ambient));
        return json;
    }
}
