package io.berth.runtime.oci;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** An OCI runtime or spec step failed: the step, the container, the runtime's own words. */
public final class OciException extends IOException {
    private static final long serialVersionUID = 1;

    /** Who is at fault. */
    public enum Kind {
        /** The request asks for what cannot be: a missing mount source, an unknown user, a bad capability. */
        INVALID,
        /** The node lacks what the request needs. */
        UNSUPPORTED, TIMEOUT, FAILED
    }

    private final Kind kind;

    public OciException(Kind kind, String message) {
        this(kind, message, null);
    }

    public OciException(Kind kind, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    /** A request that cannot be obeyed, by the CRI field that asks for it. */
    static OciException invalid(String field, String why) {
        return new OciException(Kind.INVALID, field + ": " + why);
    }

    /** A request that another node could obey, by the CRI field that asks for it. */
    static OciException unsupported(String field, String why) {
        return new OciException(Kind.UNSUPPORTED, field + ": " + why);
    }

    public Kind kind() {
        return kind;
    }
}
