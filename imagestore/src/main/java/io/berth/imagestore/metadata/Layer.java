package io.berth.imagestore.metadata;

import java.util.List;

/**
 * A layer that is whole on disk.
 *
 * @param diffId digest of its uncompressed tar
 * @param directory its short name below {@code layers/}
 * @param diskBytes what its files take
 * @param impliedDirectories directories without attributes of their own, sorted, as ISO-8859-1, {@code ""} for the root
 * @param rootOpaque it hides everything below it
 */
public record Layer(String diffId, String directory, long diskBytes, long inodes,
        List<String> impliedDirectories,
        boolean rootOpaque) {
    public Layer {
        impliedDirectories = List.copyOf(impliedDirectories);
    }
}
