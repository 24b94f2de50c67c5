package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * A seccomp profile file: the OCI {@code linux.seccomp} object, or the wider form in which rules have conditions
 * ({@code includes} and {@code excludes} by {@code caps}, {@code arches} and {@code minKernel}, and {@code archMap}).
 */
final class SeccompProfile {
    private static final Map<String, String> ARCHITECTURES = Map.of("amd64", "SCMP_ARCH_X86_64", "arm64",
            "SCMP_ARCH_AARCH64");

    private final ObjectNode profile;
    private final String name;

    /** @param name for errors */
    SeccompProfile(JsonNode profile, String name) throws OciException {
        if (!(profile instanceof ObjectNode object) || !profile.path("defaultAction").isTextual()) {
            throw new OciException(OciException.Kind.INVALID,
                    name + " is no seccomp profile: it has no defaultAction");
        }
        this.profile = object;
        this.name = name;
    }

    /**
     * The OCI object for a container on this machine: conditions decided, and left out.
     *
     * @param javaArch {@code os.arch}
     */
    ObjectNode resolve(Set<String> granted, String javaArch, KernelVersion kernel) throws OciException {
        String arch = javaArch.equals("aarch64") ? "arm64" : javaArch;
        ObjectNode result = profile.deepCopy();
        result.remove("archMap");
        JsonNode archMap = profile.path("archMap");
        if (archMap.isArray()) {
            result.set("architectures", architectures(archMap, arch));
        }
        ArrayNode rules = result.putArray("syscalls");
        for (JsonNode rule : profile.path("syscalls")) {
            if (!rule.isObject()) {
                throw new OciException(OciException.Kind.INVALID,
                        name + " has a rule that is no object: " + rule);
            }
            JsonNode includes = rule.path("includes");
            JsonNode excludes = rule.path("excludes");
            if (holdsAll(includes, granted, arch, kernel) && !holdsAny(excludes, granted, arch, kernel)) {
                ObjectNode kept = rule.deepCopy();
                kept.remove("includes");
                kept.remove("excludes");
                kept.remove("comment");
                rules.add(kept);
            }
        }
        return result;
    }

    private static ArrayNode architectures(JsonNode archMap, String arch) {
        String nativeName = ARCHITECTURES.getOrDefault(arch, "SCMP_ARCH_" + arch.toUpperCase(Locale.ROOT));
        ArrayNode result = OciSpec.array().add(nativeName);
        for (JsonNode entry : archMap) {
            if (entry.path("architecture").asText().equals(nativeName)) {
                entry.path("subArchitectures").forEach(sub -> result.add(sub.asText()));
            }
        }
        return result;
    }

    /** Every condition that is there holds; a list of capabilities holds when all of them are granted. */
    private boolean holdsAll(JsonNode condition, Set<String> granted, String arch, KernelVersion kernel)
            throws OciException {
        for (JsonNode capability : condition.path("caps")) {
            if (!granted.contains(capability.asText())) {
                return false;
            }
        }
        if (condition.path("arches").size() > 0 && !hasArch(condition, arch)) {
            return false;
        }
        return !condition.has("minKernel") || reaches(condition, kernel);
    }

    private boolean holdsAny(JsonNode condition, Set<String> granted, String arch, KernelVersion kernel)
            throws OciException {
        for (JsonNode capability : condition.path("caps")) {
            if (granted.contains(capability.asText())) {
                return true;
            }
        }
        return hasArch(condition, arch) || (condition.has("minKernel") && reaches(condition, kernel));
    }

    private static boolean hasArch(JsonNode condition, String arch) {
        for (JsonNode wanted : condition.path("arches")) {
            if (wanted.asText().equals(arch)) {
                return true;
            }
        }
        return false;
    }

    private boolean reaches(JsonNode condition, KernelVersion kernel) throws OciException {
        String wanted = condition.path("minKernel").asText();
        try {
            return kernel.compareTo(KernelVersion.parse(wanted)) >= 0;
        } catch (IllegalArgumentException e) {
            throw new OciException(OciException.Kind.INVALID,
                    name + ": minKernel \"" + wanted + "\" is no version", e);
        }
    }
}
