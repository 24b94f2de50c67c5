package io.berth.imagestore.registry;

import java.util.List;
import java.util.Map;

/**
 * A content descriptor (OCI image-spec, "OCI Content Descriptors").
 *
 * @param mediaType such as {@code application/vnd.oci.image.layer.v1.tar+gzip}
 * @param digest {@code sha256:<hex>} or {@code sha512:<hex>}, validated
 * @param size in bytes, never negative
 * @param urls where else the content may be found; empty for none
 * @param annotations empty for none
 */
public record Descriptor(String mediaType, String digest, long size, List<String> urls,
        Map<String, String> annotations) {
    public Descriptor {
        urls = List.copyOf(urls);
        annotations = Map.copyOf(annotations);
    }
}
