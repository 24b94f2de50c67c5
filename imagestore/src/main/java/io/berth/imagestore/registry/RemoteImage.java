package io.berth.imagestore.registry;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/** An image of a registry, read from the endpoint that named it, and from those behind that one where it fails. */
final class RemoteImage implements Resolved {
    /** As the other tools that read configs. The daemon keeps each image's in memory. */
    private static final int MAX_CONFIG = 4 << 20;

    private final ImageReference reference;
    private final Digest digest;
    private final ManifestDocument manifest;
    private final Descriptor config;
    private final List<Descriptor> layers;
    private final Platform platform;
    private final Session session;
    private final List<Endpoint> endpoints;

    RemoteImage(ImageReference reference, Digest digest, ManifestDocument manifest, Platform platform,
            Session session, List<Endpoint> endpoints)
            throws ImageException {
        this.reference = reference;
        this.digest = digest;
        this.manifest = manifest;
        this.config = manifest.config();
        this.layers = List.copyOf(manifest.layers());
        this.platform = platform;
        this.session = session;
        this.endpoints = List.copyOf(endpoints);
    }

    @Override
    public ImageReference reference() {
        return reference;
    }

    @Override
    public String digest() {
        return digest.toString();
    }

    @Override
    public String manifestDigest() {
        return manifest.digest().toString();
    }

    @Override
    public byte[] manifest() {
        return manifest.bytes().clone();
    }

    @Override
    public String manifestMediaType() {
        return manifest.mediaType();
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
        if (config.size() > MAX_CONFIG) {
            throw new ImageException(Kind.UNSUPPORTED, "the config of " + reference + " has " + config.size()
                    + " bytes, at most " + MAX_CONFIG + " are read");
        }
        byte[] bytes;
        try (InputStream in = openBlob(config)) {
            bytes = in.readAllBytes();
        } catch (IOException e) {
            throw e instanceof ImageException known
                    ? known
                    : new ImageException(Kind.INTERNAL, "cannot read the config of " + reference, e);
        }
        Digest wanted = Digest.parse(config.digest());
        if (!wanted.matches(bytes)) {
            throw new ImageException(Kind.CORRUPT, "the config of " + reference + " has digest "
                    + Digest.of(wanted.algorithm(), bytes) + ", the manifest says " + wanted
                    + "; the registry or something before it is damaged");
        }
        checkPlatform(bytes);
        return bytes;
    }

    @Override
    public InputStream openBlob(Descriptor descriptor) throws ImageException {
        return BlobStream.open(session, endpoints, descriptor);
    }

    @Override
    public void close() {
        session.close();
    }

    private void checkPlatform(byte[] bytes) throws ImageException {
        JsonNode json;
        try {
            json = ImageJson.read(bytes);
        } catch (ImageJson.Malformed e) {
            throw new ImageException(Kind.CORRUPT,
                    "the config of " + reference + " is malformed: " + e.getMessage(), e);
        }
        Platform built = new Platform(json.path("os").asText(""), json.path("architecture").asText(""),
                json.path("variant").asText(""));
        // Images of old tools say nothing; whoever says something else cannot run here.
        if (!built.os().isEmpty() && !built.architecture().isEmpty() && platform.suits(built) < 0) {
            throw new ImageException(Kind.UNSUPPORTED,
                    reference + " is built for " + built + ", this node is "
                            + platform + "; push an image for this platform, or an index that has one");
        }
    }
}
