package io.berth.runtime.service;

import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers unary calls: runs the work on the calling (virtual) thread, and turns its failure into a status. */
final class Calls {
    private static final Logger log = LoggerFactory.getLogger(Calls.class);
    /** How far the clocks of caller and daemon may be apart for one deadline. */
    private static final long SAME_DEADLINE_MILLIS = 500;

    private Calls() {}

    /**
     * Answers {@code observer} with what {@code work} gives. A caller that gave up meanwhile does not stop the work: its
     * result is kept by the lifecycle for the caller's next try.
     */
    static <T> void answer(String rpc, StreamObserver<T> observer, Callable<T> work) {
        T response;
        try {
            response = work.call();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            observer.onError(Status.CANCELLED.withDescription(rpc + " was interrupted").asRuntimeException());
            return;
        } catch (Exception | LinkageError e) {
            // A class or library that the installation lacks must name itself to the caller, too.
            fail(rpc, observer, e);
            return;
        }
        try {
            observer.onNext(response);
            observer.onCompleted();
        } catch (StatusRuntimeException e) {
            log.atDebug().addKeyValue("rpc", rpc).setCause(e).log("caller gave up before the answer");
        }
    }

    /**
     * Like {@link #answer}, for work that nobody wants once its caller has cancelled: its thread is interrupted then. A deadline
     * that passes does not count, for whoever sets one tries again.
     */
    static <T> void answerUnlessCancelled(String rpc, StreamObserver<T> observer, Callable<T> work) {
        Thread worker = Thread.currentThread();
        Context context = Context.current();
        Context.CancellationListener listener = cancelled -> {
            if (!isLate(cancelled)) {
                worker.interrupt();
            }
        };
        answer(rpc, observer, () -> {
            context.addListener(listener, Runnable::run);
            try {
                return work.call();
            } finally {
                context.removeListener(listener);
                // What follows is the answer, and the thread may serve another call.
                boolean ignored = Thread.interrupted();
            }
        });
    }

    /** The caller's own clock ends the call first, and looks like a cancellation then. */
    private static boolean isLate(Context context) {
        Deadline deadline = context.getDeadline();
        return deadline != null && deadline.timeRemaining(TimeUnit.MILLISECONDS) < SAME_DEADLINE_MILLIS;
    }

    private static <T> void fail(String rpc, StreamObserver<T> observer, Throwable failure) {
        Status status = GrpcErrors.status(failure);
        switch (status.getCode()) {
            case NOT_FOUND -> log.atDebug().addKeyValue("rpc", rpc).log(status.getDescription());
            case INTERNAL, DATA_LOSS -> log.atError().addKeyValue("rpc", rpc).setCause(failure)
                    .log("call failed");
            default -> log.atWarn().addKeyValue("rpc", rpc).addKeyValue("code", status.getCode())
                    .log(status.getDescription());
        }
        try {
            observer.onError(status.asRuntimeException());
        } catch (StatusRuntimeException e) {
            log.atDebug().addKeyValue("rpc", rpc).setCause(e).log("caller gave up before the error");
        }
    }
}
