package io.berth.imagestore.metadata;

import java.util.List;

/**
 * A writable snapshot.
 *
 * @param directory its short name below {@code snapshots/}
 * @param diffIds the layers it holds, base first
 */
public record StoredSnapshot(String key, String imageId, String directory, List<String> diffIds) {
    public StoredSnapshot {
        diffIds = List.copyOf(diffIds);
    }
}
