package io.berth.imagestore.unpack;

import io.berth.imagestore.record.RecordWriter;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A layer that is in its directory, not yet synced to disk.
 *
 * @param blobDigest of the bytes as received; verified
 * @param diffId digest of the uncompressed tar
 * @param tarBytes size of the uncompressed tar
 * @param diskBytes what the files take, whole blocks
 * @param inodes files, directories, links and devices
 * @param impliedDirectories directories that have no entry of their own and so no attributes, {@code ""} for the root;
 *     their names as ISO-8859-1, one character for each byte
 * @param rootOpaque the layer hides everything below it
 * @param record what its record is; null where none was made
 */
public record UnpackedLayer(String blobDigest, String diffId, long tarBytes, long diskBytes, long inodes,
        List<String> impliedDirectories, boolean rootOpaque, RecordWriter.@Nullable Written record) {
    public UnpackedLayer {
        impliedDirectories = List.copyOf(impliedDirectories);
    }
}
