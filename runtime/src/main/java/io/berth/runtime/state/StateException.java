package io.berth.runtime.state;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The state database could not be opened, read or written: which file, what SQLite said, what to do. */
public class StateException extends IOException {
    private static final long serialVersionUID = 1;

    public StateException(String message) {
        this(message, null);
    }

    public StateException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
