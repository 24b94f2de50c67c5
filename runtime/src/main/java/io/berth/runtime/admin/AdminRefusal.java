package io.berth.runtime.admin;

import io.grpc.Status;

/** A request that is wrong before any work. */
final class AdminRefusal extends Exception {
    private static final long serialVersionUID = 1;

    private final transient Status status;

    AdminRefusal(Status status, String message) {
        super(message);
        this.status = status.withDescription(message);
    }

    Status status() {
        return status;
    }
}
