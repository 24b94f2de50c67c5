package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * What an OCI runtime on this kernel can do, as the CRI's {@code RuntimeHandlerFeatures} reports it.
 *
 * @param recursiveReadOnlyMounts the {@code rro} mount option
 * @param userNamespaces user namespaces for pods; the mounts that they need are id-mapped by Berth
 */
public record HandlerFeatures(boolean recursiveReadOnlyMounts, boolean userNamespaces) {
    /** A runtime of which nothing is known. */
    public static final HandlerFeatures NONE = new HandlerFeatures(false, false);

    /** From the document that {@code <runtime> features} prints (OCI runtime-spec, features.md). */
    static HandlerFeatures of(JsonNode features, HostFacts host) {
        return new HandlerFeatures(
                contains(features.path("mountOptions"), "rro") && host.kernel().atLeast(5, 12),
                host.userNamespaces() && contains(features.path("linux").path("namespaces"), "user"));
    }

    /**
     * From {@code --version}, for runtimes without {@code features}. crun has had user namespaces always, and {@code rro}
     * since 1.4.
     */
    static HandlerFeatures ofVersion(String versionText, HostFacts host) {
        if (!versionText.startsWith("crun version ") || !host.kernel().atLeast(5, 12)) {
            return NONE;
        }
        KernelVersion crun = KernelVersion.parse(versionText.substring("crun version ".length()));
        return new HandlerFeatures(crun.atLeast(1, 4), host.userNamespaces());
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
