package io.berth.imagestore.metadata;

import io.berth.imagestore.Image;
import java.util.List;

/**
 * An image and what only the store needs of it.
 *
 * @param directories attributes that snapshots of it must repeat, parents first
 */
public record StoredImage(Image image, List<DirectoryAttributes> directories) {
    public StoredImage {
        directories = List.copyOf(directories);
    }
}
