package io.berth.runtime.service;

import io.berth.imagestore.ImageException;
import io.berth.runtime.cni.CniException;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.shim.ShimException;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/** The one place where an exception becomes a gRPC status. */
final class GrpcErrors {
    private GrpcErrors() {}

    /** The status of {@code failure}: its code by the kind of the exception, its text the exception's message. */
    static Status status(Throwable failure) {
        Throwable cause = unwrap(failure);
        Status status = byKind(cause);
        return status.getCode() != Status.Code.INTERNAL
                ? status
                : Exhaustion.behind(cause).map(lack -> Status.RESOURCE_EXHAUSTED
                        .withDescription(status.getDescription() + ": " + lack.advice())).orElse(status);
    }

    private static Status byKind(Throwable cause) {
        return switch (cause) {
            case StatusRuntimeException e -> e.getStatus();
            case StatusException e -> e.getStatus();
            case LifecycleException e -> status(e.kind()).withDescription(text(e));
            case ImageException e -> status(e.kind()).withDescription(text(e));
            case ShimException e -> status(e.kind()).withDescription(text(e));
            case OciException e -> status(e).withDescription(text(e));
            case CniException e -> (e.timeout() ? Status.DEADLINE_EXCEEDED : Status.INTERNAL)
                    .withDescription(text(e));
            default -> Status.INTERNAL.withDescription(text(cause));
        };
    }

    private static Status status(LifecycleException.Kind kind) {
        return switch (kind) {
            case INVALID -> Status.INVALID_ARGUMENT;
            case NOT_FOUND -> Status.NOT_FOUND;
            case PRECONDITION -> Status.FAILED_PRECONDITION;
            case ALREADY_EXISTS -> Status.ALREADY_EXISTS;
            case TIMEOUT -> Status.DEADLINE_EXCEEDED;
            case UNAVAILABLE -> Status.UNAVAILABLE;
            case CANCELLED -> Status.CANCELLED;
            case FAILED -> Status.INTERNAL;
        };
    }

    private static Status status(ImageException.Kind kind) {
        return switch (kind) {
            case INVALID -> Status.INVALID_ARGUMENT;
            case NOT_FOUND -> Status.NOT_FOUND;
            case UNAUTHORIZED -> Status.UNAUTHENTICATED;
            case UNAVAILABLE -> Status.UNAVAILABLE;
            case CORRUPT -> Status.DATA_LOSS;
            case NO_SPACE -> Status.RESOURCE_EXHAUSTED;
            case IN_USE -> Status.FAILED_PRECONDITION;
            case UNSUPPORTED -> Status.UNIMPLEMENTED;
            case CANCELLED -> Status.CANCELLED;
            case FORBIDDEN, SIGNATURE -> Status.PERMISSION_DENIED;
            case INTERNAL -> Status.INTERNAL;
        };
    }

    private static Status status(ShimException.Kind kind) {
        return switch (kind) {
            case TIMEOUT -> Status.DEADLINE_EXCEEDED;
            case GONE, BUSY -> Status.UNAVAILABLE;
            case STATE -> Status.FAILED_PRECONDITION;
            case OCI, FAILED -> Status.INTERNAL;
        };
    }

    private static Status status(OciException failure) {
        return switch (failure.kind()) {
            case INVALID -> Status.INVALID_ARGUMENT;
            // A field that this node cannot obey is refused as one that none could.
            case UNSUPPORTED -> failure.namesField() ? Status.INVALID_ARGUMENT : Status.FAILED_PRECONDITION;
            case TIMEOUT -> Status.DEADLINE_EXCEEDED;
            case FAILED -> Status.INTERNAL;
        };
    }

    private static Throwable unwrap(Throwable failure) {
        Throwable cause = failure;
        while (cause instanceof CompletionException || cause instanceof ExecutionException) {
            @Nullable
            Throwable next = cause.getCause();
            if (next == null) {
                return cause;
            }
            cause = next;
        }
        return cause;
    }

    private static String text(Throwable failure) {
        @Nullable
        String message = failure.getMessage();
        return message == null ? failure.getClass().getSimpleName() : message;
    }
}
