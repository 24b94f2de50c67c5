package io.berth.runtime.cni;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A CNI step failed: which plugin, which command, its own words, and what to do. */
public final class CniException extends IOException {
    private static final long serialVersionUID = 1;

    private final boolean timeout;

    public CniException(String message, @Nullable Throwable cause) {
        this(message, false, cause);
    }

    public CniException(String message, boolean timeout, @Nullable Throwable cause) {
        super(message, cause);
        this.timeout = timeout;
    }

    /** Whether the plugin ran into the deadline. */
    public boolean timeout() {
        return timeout;
    }
}
