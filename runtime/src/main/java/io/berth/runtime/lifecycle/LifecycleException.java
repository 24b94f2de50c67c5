package io.berth.runtime.lifecycle;

import org.jspecify.annotations.Nullable;

/**
 * A step in the life of a sandbox or container that could not be taken. The message names the step, the object and what
 * the operator can do.
 */
public final class LifecycleException extends Exception {
    private static final long serialVersionUID = 1;

    /** Why; the service edge maps it to a gRPC status. */
    public enum Kind {
        /** The request is malformed; the message names the field. */
        INVALID,
        /** No object has this id. */
        NOT_FOUND,
        /** The object is in a state that does not allow the step. */
        PRECONDITION,
        /** Another object has this name. */
        ALREADY_EXISTS,
        /** The deadline passed. */
        TIMEOUT,
        /** The node lacks something right now; trying again may help. */
        UNAVAILABLE,
        /** The caller gave up. */
        CANCELLED,
        /** Everything else. */
        FAILED
    }

    private final Kind kind;

    public LifecycleException(Kind kind, String message) {
        this(kind, message, null);
    }

    public LifecycleException(Kind kind, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }
}
