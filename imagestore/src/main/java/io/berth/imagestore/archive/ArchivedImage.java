package io.berth.imagestore.archive;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.registry.Digest;
import io.berth.imagestore.registry.ImageReference;
import io.berth.imagestore.registry.Resolved;
import java.io.InputStream;
import java.util.List;
import java.util.Map;

/** One image of an archive. Its files stay open until the archive is closed. */
public final class ArchivedImage implements Resolved {
    private final LayoutDirectory directory;
    private final Names names;
    private final Document manifest;
    private final Descriptor config;
    private final List<Descriptor> layers;
    /** Where a blob is; in an OCI layout its digest says so. */
    private final Map<String, String> paths;

    /** What the archive calls it; {@code digest} is that of its index where it has one. */
    record Names(List<String> tags, List<String> digests, Digest digest) {}

    /** A manifest as it is in the archive, or as made for one that has none. */
    static final class Document {
        private final Digest digest;
        private final String mediaType;
        private final byte[] bytes;

        Document(Digest digest, String mediaType, byte[] bytes) {
            this.digest = digest;
            this.mediaType = mediaType;
            this.bytes = bytes;
        }
    }

    ArchivedImage(LayoutDirectory directory, Names names, Document manifest, Descriptor config,
            List<Descriptor> layers,
            Map<String, String> paths) {
        this.directory = directory;
        this.names = names;
        this.manifest = manifest;
        this.config = config;
        this.layers = List.copyOf(layers);
        this.paths = Map.copyOf(paths);
    }

    /** Canonical tags, empty where it has no name. */
    public List<String> tags() {
        return names.tags();
    }

    /** Canonical digest references, empty where it has no name. */
    public List<String> digests() {
        return names.digests();
    }

    /** Its first name; what has none is called {@code localhost/imported@...} in messages. */
    @Override
    public ImageReference reference() {
        try {
            return names.tags().isEmpty()
                    ? new ImageReference("localhost", "imported", null, names.digest())
                    : ImageReference.parse(names.tags().getFirst());
        } catch (ImageException e) {
            throw new IllegalStateException("was parsed before: " + names.tags(), e);
        }
    }

    @Override
    public String digest() {
        return names.digest().toString();
    }

    @Override
    public String manifestDigest() {
        return manifest.digest.toString();
    }

    @Override
    public byte[] manifest() {
        return manifest.bytes.clone();
    }

    @Override
    public String manifestMediaType() {
        return manifest.mediaType;
    }

    @Override
    public Descriptor configDescriptor() {
        return config;
    }

    @Override
    public List<Descriptor> layers() {
        return layers;
    }

    @Override
    public byte[] readConfig() throws ImageException {
        String path = paths.get(config.digest());
        return path == null ? directory.document(config) : directory.document(path);
    }

    @Override
    public InputStream openBlob(Descriptor descriptor) throws ImageException {
        String path = paths.get(descriptor.digest());
        return directory
                .open(path == null ? LayoutDirectory.blobPath(Digest.parse(descriptor.digest())) : path);
    }

    /** Does nothing: the archive's owner closes it, for all of its images. */
    @Override
    public void close() {}
}
