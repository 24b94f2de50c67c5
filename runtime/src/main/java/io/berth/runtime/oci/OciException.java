package io.berth.runtime.oci;

import com.google.protobuf.Descriptors.Descriptor;
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
    /** What {@link #getMessage} begins with; empty where no field is at fault. */
    private final String field;

    public OciException(Kind kind, String message) {
        this(kind, message, null);
    }

    public OciException(Kind kind, String message, @Nullable Throwable cause) {
        this(kind, "", message, cause);
    }

    private OciException(Kind kind, String field, String text, @Nullable Throwable cause) {
        super(field.isEmpty() ? text : field + ": " + text, cause);
        this.kind = kind;
        this.field = field;
    }

    /** A request that cannot be obeyed, by the CRI field that asks for it. */
    public static OciException invalid(String field, String why) {
        return new OciException(Kind.INVALID, field, why, null);
    }

    /** A request that another node could obey, by the CRI field that asks for it. */
    static OciException unsupported(String field, String why) {
        return new OciException(Kind.UNSUPPORTED, field, why, null);
    }

    /** Whether a field of the request is at fault. */
    public boolean namesField() {
        return !field.isEmpty();
    }

    public Kind kind() {
        return kind;
    }

    /**
     * The same with the whole path of the field at fault, which only the request's receiver knows.
     *
     * @param request what holds the field, at any depth
     * @param root the path of {@code request} itself, such as {@code config}; empty for none
     */
    public OciException in(Descriptor request, String root) {
        String message = String.valueOf(getMessage());
        return field.isEmpty()
                ? this
                : new OciException(kind, FieldPath.of(request, root, field),
                        message.substring(field.length() + 2), this);
    }
}
