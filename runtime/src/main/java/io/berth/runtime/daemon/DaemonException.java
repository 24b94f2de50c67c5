package io.berth.runtime.daemon;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The daemon cannot start; the message says why and what the operator can do. */
public final class DaemonException extends IOException {
    private static final long serialVersionUID = 1;

    public DaemonException(String message) {
        this(message, null);
    }

    public DaemonException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
