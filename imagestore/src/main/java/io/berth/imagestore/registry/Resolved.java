package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import java.io.InputStream;
import java.util.List;

/** An image as a registry has it: its verified platform manifest, and the way to its blobs. */
public interface Resolved extends AutoCloseable {
    /** What was asked for, normalised. */
    ImageReference reference();

    /**
     * Digest of what the reference names: an index's where it names an index, else {@link #manifestDigest()}. Repo
     * digests are made of this one.
     */
    String digest();

    /** Digest of the platform manifest. */
    String manifestDigest();

    /** The platform manifest as received; its digest is {@link #manifestDigest()}. */
    byte[] manifest();

    /** Media type of the platform manifest. */
    String manifestMediaType();

    /** The image's config; its digest is the image id. */
    Descriptor configDescriptor();

    /** The layers, base first. */
    List<Descriptor> layers();

    /**
     * Reads the image config, and verifies its digest.
     *
     * @throws ImageException as {@link #openBlob}, CORRUPT where the digest does not match
     */
    byte[] readConfig() throws ImageException;

    /**
     * Streams a blob. Connections that break are resumed where they stopped, so the stream is the blob's bytes once each,
     * and ends exactly at the descriptor's size. The digest is the reader's to check. Reads throw {@link ImageException};
     * close stops the transfer.
     *
     * @throws ImageException NOT_FOUND, UNAUTHORIZED, UNAVAILABLE, UNSUPPORTED (foreign layer), CANCELLED
     */
    InputStream openBlob(Descriptor descriptor) throws ImageException;

    /** Releases connections; open streams end. */
    @Override
    void close();
}
