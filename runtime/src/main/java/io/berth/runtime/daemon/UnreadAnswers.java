package io.berth.runtime.daemon;

import com.google.protobuf.MessageLite;
import io.grpc.Attributes;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerTransportFilter;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Bounds the memory of answers that wait for their client to read them: gRPC itself keeps them all. An answer that finds no
 * room waits for it, on its own call's thread; a client that reads nothing holds up its own connection alone.
 */
final class UnreadAnswers implements ServerInterceptor {
    private static final int KIB = 1 << 10;
    /** One answer of the largest size that clients take, and some. */
    private static final int KIB_PER_CONNECTION = 24 << 10;
    /** A part of the heap, see the launcher. */
    private static final int KIB_OF_ALL = 80 << 10;
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final Duration LOOK = Duration.ofMillis(500);
    private static final Attributes.Key<Semaphore> ROOM = Attributes.Key.create("berth-unread-answers");

    private final Semaphore ofAll = new Semaphore(KIB_OF_ALL, true);

    /** Gives each connection its own share; to be added to the server. */
    ServerTransportFilter connections() {
        return new ServerTransportFilter() {
            @Override
            public Attributes transportReady(Attributes attributes) {
                return attributes.toBuilder().set(ROOM, new Semaphore(KIB_PER_CONNECTION, true)).build();
            }
        };
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers,
            ServerCallHandler<Q, A> next) {
        @Nullable
        Semaphore ofConnection = call.getAttributes().get(ROOM);
        if (ofConnection == null) {
            return next.startCall(call, headers);
        }
        var bounded = new Bounded<>(call, ofConnection, ofAll);
        return new SimpleForwardingServerCallListener<>(next.startCall(bounded, headers)) {
            @Override
            public void onComplete() {
                bounded.end();
                super.onComplete();
            }

            @Override
            public void onCancel() {
                bounded.end();
                super.onCancel();
            }
        };
    }

    private static final class Bounded<Q, A> extends SimpleForwardingServerCall<Q, A> {
        private final Semaphore ofConnection;
        private final Semaphore ofAll;
        private int heldKib;
        private boolean ended;

        Bounded(ServerCall<Q, A> call, Semaphore ofConnection, Semaphore ofAll) {
            super(call);
            this.ofConnection = ofConnection;
            this.ofAll = ofAll;
        }

        @Override
        public void sendMessage(A message) {
            if (isReady()) {
                // All but a little of the stream's earlier messages is gone.
                release();
            }
            if (!acquire(kib(message))) {
                throw Status.RESOURCE_EXHAUSTED
                        .withDescription("this client has not read the answers to its earlier"
                                + " calls for " + LIMIT.toSeconds()
                                + " s; read them, or ask for less at a time")
                        .asRuntimeException();
            }
            super.sendMessage(message);
        }

        private static int kib(Object message) {
            int bytes = message instanceof MessageLite proto ? proto.getSerializedSize() : 0;
            return Math.min(KIB_PER_CONNECTION, bytes / KIB + 1);
        }

        private boolean acquire(int kib) {
            long end = System.nanoTime() + LIMIT.toNanos();
            try {
                if (!await(ofConnection, kib, end)) {
                    return false;
                }
                if (!await(ofAll, kib, end)) {
                    ofConnection.release(kib);
                    return false;
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
            return keep(kib);
        }

        /** A client that is gone is seen between two tries: its cancellation waits behind this very call. */
        private boolean await(Semaphore room, int kib, long end) throws InterruptedException {
            while (!room.tryAcquire(kib, LOOK.toMillis(), TimeUnit.MILLISECONDS)) {
                if (isCancelled() || System.nanoTime() - end > 0) {
                    return false;
                }
            }
            return true;
        }

        /** False where the call has ended while it waited. */
        private synchronized boolean keep(int kib) {
            if (ended) {
                ofConnection.release(kib);
                ofAll.release(kib);
                return false;
            }
            heldKib += kib;
            return true;
        }

        private synchronized void release() {
            ofConnection.release(heldKib);
            ofAll.release(heldKib);
            heldKib = 0;
        }

        synchronized void end() {
            ended = true;
            release();
        }
    }
}
