package io.berth.runtime.shim;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A shim or the OCI runtime below it failed: which step, for which container, and the runtime's own words. */
public final class ShimException extends IOException {
    private static final long serialVersionUID = 1;

    /** What went wrong. */
    public enum Kind {
        /** The deadline passed. */
        TIMEOUT,
        /** It serves as many as it can, or does not come to serve them; trying again later may help. */
        BUSY,
        /** The shim is not there any more. */
        GONE,
        /** The container is not in the state for this, or this is under way already. */
        STATE,
        /** The OCI runtime refused; the message has its words. */
        OCI,
        /** Anything else. */
        FAILED
    }

    private final Kind kind;

    public ShimException(Kind kind, String message) {
        this(kind, message, null);
    }

    public ShimException(Kind kind, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }
}
