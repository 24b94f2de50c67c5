package io.berth.imagestore.registry;

import java.util.List;
import java.util.Map;

/**
 * An OCI content descriptor.
 *
 * @param mediaType as the manifest says
 * @param digest {@code sha256:<64 hex>} or {@code sha512:<128 hex>}, checked for its form
 * @param size bytes of the content
 * @param annotations empty where absent
 * @param urls where foreign content lives; empty where absent
 */
public record Descriptor(String mediaType, String digest, long size, Map<String, String> annotations,
        List<String> urls) {
    public Descriptor {
        annotations = Map.copyOf(annotations);
        urls = List.copyOf(urls);
    }
}
