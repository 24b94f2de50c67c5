package io.berth.imagestore.metadata;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A layer that is whole on disk.
 *
 * @param diffId digest of its uncompressed tar
 * @param directory its short name below {@code layers/}
 * @param diskBytes what its files and its record take
 * @param impliedDirectories directories without attributes of their own, sorted, as ISO-8859-1, {@code ""} for the root
 * @param rootOpaque it hides everything below it
 * @param record digest of its record, {@code sha256:<hex>}; null where a Berth that made none has unpacked it
 */
public record Layer(String diffId, String directory, long diskBytes, long inodes,
        List<String> impliedDirectories,
        boolean rootOpaque, @Nullable String record) {
    public Layer {
        impliedDirectories = List.copyOf(impliedDirectories);
    }
}
