package io.berth.runtime.admin;

import io.grpc.Context;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One call of the admin service: its answers may come from any thread, and its work ends when its caller goes away. */
final class AdminCall<T> {
    private static final Logger log = LoggerFactory.getLogger(AdminService.class);

    private final String name;
    private final StreamObserver<T> observer;

    private AdminCall(String name, StreamObserver<T> observer) {
        this.name = name;
        this.observer = observer;
    }

    /** The work of a call. */
    @FunctionalInterface
    interface Work<T> {
        void run(AdminCall<T> call) throws IOException, AdminRefusal;
    }

    /** Runs {@code work} on this thread, which is interrupted where the caller gives up. */
    static <T> void run(String name, StreamObserver<T> observer, Work<T> work) {
        var call = new AdminCall<>(name, observer);
        Thread worker = Thread.currentThread();
        Context context = Context.current();
        Context.CancellationListener listener = cancelled -> worker.interrupt();
        context.addListener(listener, Runnable::run);
        try {
            work.run(call);
            call.complete();
        } catch (AdminRefusal e) {
            call.fail(e.status(), e);
        } catch (IOException e) {
            call.fail(AdminErrors.status(e), e);
        } catch (RuntimeException e) {
            call.fail(Status.INTERNAL.withDescription(e.toString()), e);
        } finally {
            context.removeListener(listener);
            // The thread may serve another call.
            boolean ignored = Thread.interrupted();
        }
    }

    synchronized void send(T message) {
        observer.onNext(message);
    }

    private synchronized void complete() {
        observer.onCompleted();
    }

    private synchronized void fail(Status status, Exception failure) {
        if (failure instanceof RuntimeException) {
            log.atError().addKeyValue("call", name).setCause(failure).log("admin call failed");
        } else {
            log.atWarn().addKeyValue("call", name).addKeyValue("code", status.getCode())
                    .addKeyValue("reason", failure.getMessage()).log("admin call failed");
        }
        observer.onError(status.asRuntimeException());
    }
}
