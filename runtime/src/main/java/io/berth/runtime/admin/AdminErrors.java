package io.berth.runtime.admin;

import io.berth.imagestore.ImageException;
import io.grpc.Status;
import java.io.IOException;

/** Failures of the admin service as gRPC statuses, and in the log. */
final class AdminErrors {
    private AdminErrors() {}

    static Status status(IOException failure) {
        Status status = failure instanceof ImageException e ? of(e.kind()) : Status.INTERNAL;
        return status.withDescription(failure.getMessage());
    }

    private static Status of(ImageException.Kind kind) {
        return switch (kind) {
            case INVALID, CORRUPT, UNSUPPORTED -> Status.INVALID_ARGUMENT;
            case NOT_FOUND -> Status.NOT_FOUND;
            case UNAUTHORIZED -> Status.UNAUTHENTICATED;
            case UNAVAILABLE -> Status.UNAVAILABLE;
            case NO_SPACE -> Status.RESOURCE_EXHAUSTED;
            case IN_USE -> Status.FAILED_PRECONDITION;
            case CANCELLED -> Status.CANCELLED;
            case FORBIDDEN, SIGNATURE -> Status.PERMISSION_DENIED;
            case INTERNAL -> Status.INTERNAL;
        };
    }
}
