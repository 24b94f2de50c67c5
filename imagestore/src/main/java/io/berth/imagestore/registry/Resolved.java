package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import java.io.InputStream;

/**
 * One image at its source, a registry or an archive, ready to be read. May be used by several threads at once.
 */
public interface Resolved extends AutoCloseable {
    /** The canonical reference that was asked for. */
    String reference();

    /** Digest of what the reference names: of the index where there is one, else of the manifest. */
    String digest();

    /**
     * The manifest of this node's platform, its digest and size verified. The first call may ask the source.
     *
     * @throws ImageException UNSUPPORTED where nothing fits this platform or it is no image
     */
    Manifest manifest() throws ImageException;

    /** The image configuration, JSON as received, its digest and size verified. The first call may ask the source. */
    String config() throws ImageException;

    /**
     * Opens a blob of this image. The stream heals itself: a broken connection is resumed by Range within the source's
     * retry policy. It is not verified: the reader checks digest and size. Reads throw {@link ImageException}; a thread that
     * is interrupted gets kind CANCELLED; closing early drops the connection.
     */
    InputStream openBlob(Descriptor blob) throws ImageException;

    /** Frees what the source holds open. */
    @Override
    void close();
}
