package io.berth.imagestore.metadata;

import io.berth.imagestore.Image;
import java.util.List;
import java.util.stream.Stream;

/** The same image under other names. */
public final class ImageNames {
    private ImageNames() {}

    /** {@code image} with {@code tags} and {@code digests} added to its own, sorted. */
    public static Image adding(Image image, List<String> tags, List<String> digests) {
        return with(image, merged(image.repoTags(), tags), merged(image.repoDigests(), digests),
                image.pinned());
    }

    static Image without(Image image, String name) {
        return with(image, image.repoTags().stream().filter(tag -> !tag.equals(name)).toList(),
                image.repoDigests().stream().filter(digest -> !digest.equals(name)).toList(), image.pinned());
    }

    static Image with(Image image, List<String> tags, List<String> digests, boolean pinned) {
        return new Image(image.id(), List.copyOf(tags), List.copyOf(digests), image.sizeBytes(),
                image.config(),
                image.manifestDigest(), image.manifestJson(), image.configJson(), image.diffIds(), pinned,
                image.pulledAt());
    }

    private static List<String> merged(List<String> first, List<String> second) {
        return Stream.concat(first.stream(), second.stream()).distinct().sorted().toList();
    }
}
