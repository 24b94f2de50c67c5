package io.berth.imagestore.archive;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.registry.Digest;
import io.berth.imagestore.registry.ImageReference;
import io.berth.imagestore.registry.ManifestDocument;
import io.berth.imagestore.registry.Platform;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** An OCI image layout (OCI image-spec, "Image Layout"). */
final class OciLayout {
    private static final String INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
    /** The whole name, as containerd, docker and nerdctl write it; the specification's own may be a mere tag. */
    private static final List<String> NAME_ANNOTATIONS = List.of(ImageExport.CONTAINERD_NAME,
            ImageExport.REF_NAME);
    private static final int MAX_NESTING = 4;

    private final LayoutDirectory directory;
    private final Platform platform = Platform.ofThisNode();

    OciLayout(LayoutDirectory directory) {
        this.directory = directory;
    }

    List<ArchivedImage> images() throws ImageException {
        byte[] bytes = directory.document("index.json");
        ManifestDocument index = ManifestDocument.parse(Digest.of("sha256", bytes), INDEX_TYPE, bytes);
        if (!index.isIndex()) {
            throw new ImageException(Kind.CORRUPT, directory.path() + ": index.json is no index");
        }
        List<ArchivedImage> images = new ArrayList<>();
        Set<String> taken = new HashSet<>();
        for (ManifestDocument.Entry entry : index.candidates(platform)) {
            Descriptor descriptor = entry.descriptor();
            ImageReference name = name(descriptor);
            // Of one name's platforms the best comes first; entries without names and platforms are images of their own.
            String key = name != null
                    ? name.canonical()
                    : entry.platform() != null ? "" : descriptor.digest();
            if (taken.add(key)) {
                images.add(image(descriptor, name));
            }
        }
        return images;
    }

    private ArchivedImage image(Descriptor descriptor, @Nullable ImageReference name) throws ImageException {
        ManifestDocument manifest = manifest(descriptor, 0);
        ManifestDocument original = original(descriptor, manifest);
        Digest digest = original == manifest ? Digest.parse(descriptor.digest()) : original.digest();
        ArchivedImage.Names names = name == null
                ? new ArchivedImage.Names(List.of(), List.of(), digest)
                : new ArchivedImage.Names(name.digest() == null ? List.of(name.canonical()) : List.of(),
                        List.of(name.name() + "@" + digest), digest);
        return new ArchivedImage(directory, names,
                new ArchivedImage.Document(original.digest(), original.mediaType(), original.bytes()),
                manifest.config(),
                manifest.layers(), Map.of());
    }

    /**
     * The manifest that the image was pulled with, where this is an export of Berth: its digest is verified, and it names the
     * config, which names the layers. So nobody can put another image under it.
     */
    private ManifestDocument original(Descriptor descriptor, ManifestDocument manifest)
            throws ImageException {
        String text = descriptor.annotations().get(ImageExport.ORIGINAL_MANIFEST);
        if (text == null) {
            return manifest;
        }
        Descriptor named = new Descriptor("", text, 0, List.of(), Map.of());
        ManifestDocument original = ManifestDocument.parse(Digest.parse(text), "", directory.document(named));
        if (original.isIndex() || !original.config().digest().equals(manifest.config().digest())
                || original.layers().size() != manifest.layers().size()) {
            throw new ImageException(Kind.CORRUPT, directory.path() + ": manifest " + text
                    + " is not of the image " + manifest.config().digest() + " that claims it");
        }
        return original;
    }

    private ManifestDocument manifest(Descriptor descriptor, int depth) throws ImageException {
        ManifestDocument document = ManifestDocument.parse(Digest.parse(descriptor.digest()),
                descriptor.mediaType(),
                directory.document(descriptor));
        if (!document.isIndex()) {
            return document;
        }
        List<ManifestDocument.Entry> candidates = document.candidates(platform);
        if (candidates.isEmpty() || depth == MAX_NESTING) {
            throw new ImageException(Kind.UNSUPPORTED, directory.path() + ": index " + descriptor.digest()
                    + " has no image for " + platform + ", only " + document.offered());
        }
        return manifest(candidates.getFirst().descriptor(), depth + 1);
    }

    private @Nullable ImageReference name(Descriptor descriptor) throws ImageException {
        for (String annotation : NAME_ANNOTATIONS) {
            String text = descriptor.annotations().get(annotation);
            // A word alone is a tag without a repository, which names nothing.
            if (text != null && (text.indexOf('/') >= 0 || text.indexOf(':') >= 0)) {
                return ImageReference.parse(text);
            }
        }
        return null;
    }
}
