package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * What an OCI runtime on this kernel can do, as the CRI's {@code RuntimeHandlerFeatures} reports it.
 *
 * @param recursiveReadOnlyMounts the {@code rro} mount option
 * @param userNamespaces user namespaces for pods, which need id-mapped volumes
 * @param idMappedMounts {@code uidMappings} and {@code gidMappings} of a bind mount
 */
public record HandlerFeatures(boolean recursiveReadOnlyMounts, boolean userNamespaces,
        boolean idMappedMounts) {
    /** A runtime of which nothing is known. */
    public static final HandlerFeatures NONE = new HandlerFeatures(false, false, false);

    /** From the document that {@code <runtime> features} prints (OCI runtime-spec, features.md). */
    static HandlerFeatures of(JsonNode features, HostFacts host) {
        boolean idmap = features.path("linux").path("mountExtensions").path("idmap").path("enabled")
                .asBoolean()
                && host.kernel().atLeast(5, 12);
        return new HandlerFeatures(
                contains(features.path("mountOptions"), "rro") && host.kernel().atLeast(5, 12),
                idmap && host.userNamespaces() && contains(features.path("linux").path("namespaces"), "user"),
                idmap);
    }

    /**
     * From {@code --version}, for runtimes without {@code features}. crun has had {@code rro} since 1.4 and id-mapped
     * mounts since 1.5.
     */
    static HandlerFeatures ofVersion(String versionText, HostFacts host) {
        if (!versionText.startsWith("crun version ") || !host.kernel().atLeast(5, 12)) {
            return NONE;
        }
        KernelVersion crun = KernelVersion.parse(versionText.substring("crun version ".length()));
        boolean idmap = crun.atLeast(1, 5);
        return new HandlerFeatures(crun.atLeast(1, 4), idmap && host.userNamespaces(), idmap);
    }

    private static boolean contains(JsonNode array, String text) {
        for (JsonNode element : array) {
            if (element.asText().equals(text)) {
                return true;
            }
        }
        return false;
    }
}
