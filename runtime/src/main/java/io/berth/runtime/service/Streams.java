package io.berth.runtime.service;

import io.berth.runtime.events.EventHub;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers server-streaming calls at the pace at which the client reads, each on a virtual thread of its own. */
final class Streams {
    private static final Logger log = LoggerFactory.getLogger(Streams.class);
    private static final Duration TICK = Duration.ofSeconds(1);
    private static final int CHUNK = 100;

    private Streams() {}

    /** Sends {@code items} in messages of many; an empty list is an empty stream. */
    static <I, T> void list(String rpc, StreamObserver<T> observer, Callable<List<I>> items,
            Function<List<I>, T> message) {
        Pace<T> pace = new Pace<>(observer);
        Thread.startVirtualThread(() -> {
            try {
                List<I> all = items.call();
                for (int from = 0; from < all.size() && pace.await(); from += CHUNK) {
                    observer.onNext(message.apply(all.subList(from, Math.min(all.size(), from + CHUNK))));
                }
                pace.complete();
            } catch (Exception e) {
                pace.fail(rpc, e);
            }
        });
    }

    /**
     * Sends every event until the client goes away, or until it has read so slowly that events were lost. The headers come as
     * soon as no event is missed any more.
     */
    static <T> void events(String rpc, StreamObserver<T> observer, EventHub hub,
            Function<EventHub.Event, T> message) {
        Pace<T> pace = new Pace<>(observer);
        EventHub.Subscription subscription = hub.subscribe();
        Thread.startVirtualThread(Context.current().wrap(() -> {
            try (subscription) {
                EarlyHeaders.send();
                while (pace.await()) {
                    if (subscription.overrun()) {
                        throw Status.RESOURCE_EXHAUSTED
                                .withDescription("events were read too slowly and some are"
                                        + " lost; list the containers and subscribe again")
                                .asException();
                    }
                    Optional<EventHub.Event> event = subscription.next(TICK);
                    event.ifPresent(known -> observer.onNext(message.apply(known)));
                }
            } catch (Exception e) {
                pace.fail(rpc, e);
            }
        }));
    }

    /** Flow control of one call. */
    private static final class Pace<T> {
        private final ServerCallStreamObserver<T> call;
        private final Semaphore changed = new Semaphore(0);

        Pace(StreamObserver<T> observer) {
            this.call = (ServerCallStreamObserver<T>) observer;
            call.setOnReadyHandler(changed::release);
            call.setOnCancelHandler(changed::release);
        }

        /** Waits until a message can be sent without piling up; false where the client is gone. */
        boolean await() throws InterruptedException {
            while (!call.isReady() && !call.isCancelled()) {
                if (changed.tryAcquire(TICK.toMillis(), TimeUnit.MILLISECONDS)) {
                    changed.drainPermits();
                }
            }
            return !call.isCancelled();
        }

        void complete() {
            if (!call.isCancelled()) {
                call.onCompleted();
            }
        }

        void fail(String rpc, Exception failure) {
            if (call.isCancelled()) {
                log.atDebug().addKeyValue("rpc", rpc).setCause(failure).log("client went away");
            } else {
                call.onError(GrpcErrors.status(failure).asException());
            }
        }
    }
}
