package io.berth.runtime.cli;

import java.io.IOException;

/** A failure with an exit status of its own. */
final class CommandFailure extends IOException {
    private static final long serialVersionUID = 1;

    private final int exitStatus;

    CommandFailure(int exitStatus, String message, Throwable cause) {
        super(message, cause);
        this.exitStatus = exitStatus;
    }

    int exitStatus() {
        return exitStatus;
    }
}
