package io.berth.imagestore.store;

import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.metadata.Catalog;
import io.berth.imagestore.metadata.StoredImage;
import io.berth.imagestore.registry.ImageReference;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/** Finds an image by what people and kubelets call it. */
final class ImageLookup {
    private static final Pattern HEX_PREFIX = Pattern.compile("[0-9a-f]{3,64}");
    private static final String SHA256 = "sha256:";

    private ImageLookup() {}

    /** The one image that {@code text} names; empty for none, and where the beginning of an id fits several. */
    static Optional<Image> find(Catalog catalog, String text) {
        List<Image> all = all(catalog, text);
        return all.size() == 1 ? Optional.of(all.getFirst()) : Optional.empty();
    }

    /** Every image that {@code text} may name: more than one only for the beginning of an id. */
    static List<Image> all(Catalog catalog, String text) {
        StoredImage exact = catalog.images().get(text);
        if (exact != null) {
            return List.of(exact.image());
        }
        Optional<Image> named = byName(catalog, text);
        if (named.isPresent()) {
            return List.of(named.get());
        }
        String hex = text.startsWith(SHA256) ? text.substring(SHA256.length()) : text;
        if (!HEX_PREFIX.matcher(hex).matches()) {
            return List.of();
        }
        return catalog.images().values().stream().map(StoredImage::image)
                .filter(image -> image.id().startsWith(SHA256 + hex)).toList();
    }

    private static Optional<Image> byName(Catalog catalog, String text) {
        ImageReference reference;
        try {
            reference = ImageReference.parse(text);
        } catch (ImageException e) {
            // What cannot be a name names nothing; it may still be an id.
            return Optional.empty();
        }
        // A digest beside a tag is what counts.
        String canonical = reference.digest() == null
                ? reference.canonical()
                : reference.name() + "@" + reference.digest();
        return Optional.ofNullable(catalog.named(canonical)).map(StoredImage::image);
    }
}
