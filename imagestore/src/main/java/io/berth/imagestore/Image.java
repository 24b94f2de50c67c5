package io.berth.imagestore;

import java.time.Instant;
import java.util.List;

/**
 * An image that is whole on this node.
 *
 * @param id digest of the image's config, {@code sha256:<hex>}, as kubelet and crictl expect
 * @param repoTags fully qualified tags, such as {@code docker.io/library/busybox:1.37}
 * @param repoDigests fully qualified digests, such as {@code docker.io/library/busybox@sha256:...}
 * @param sizeBytes compressed size: manifest, config and layers as the registry has them
 * @param config what a container takes from the image
 * @param manifestDigest digest of the platform manifest
 * @param manifestJson the platform manifest, as received
 * @param configJson the image config, as received
 * @param diffIds the layers, base first, by the digest of their uncompressed tar
 * @param pinned never removed by garbage collection
 * @param pulledAt when it was pulled or imported
 */
public record Image(String id, List<String> repoTags, List<String> repoDigests, long sizeBytes,
        ImageConfig config,
        String manifestDigest, String manifestJson, String configJson, List<String> diffIds, boolean pinned,
        Instant pulledAt) {}
