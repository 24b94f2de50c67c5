package io.berth.imagestore;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * What the image store could not do. The message names the image, layer or file, what was asked and what was got, and
 * what the operator can do; it never holds a credential.
 */
public final class ImageException extends IOException {
    private static final long serialVersionUID = 1;

    /** Why it failed; the service edge maps it to a gRPC status. */
    public enum Kind {
        /** The reference or another input is malformed. */
        INVALID,
        /** No such image, tag, manifest or blob. */
        NOT_FOUND,
        /** The registry refused the credentials, or wants some. */
        UNAUTHORIZED,
        /** The registry cannot be reached, timed out or answered 5xx/429 to the last try. */
        UNAVAILABLE,
        /** A digest or size does not match, an archive is truncated or malformed or dangerous. */
        CORRUPT,
        /** ENOSPC or EDQUOT. */
        NO_SPACE,
        /** The image or snapshot is used by something that must go first. */
        IN_USE,
        /** A media type, compression or platform that Berth does not run. */
        UNSUPPORTED,
        /** The caller gave up. */
        CANCELLED,
        /** A blocked registry. */
        FORBIDDEN,
        /** The signature policy rejects the image. */
        SIGNATURE,
        /** Everything else. */
        INTERNAL
    }

    private final Kind kind;

    public ImageException(Kind kind, String message) {
        this(kind, message, null);
    }

    public ImageException(Kind kind, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }
}
