package io.berth.e2e.cri;

import io.berth.cri.v1.ContainerEventResponse;
import io.berth.cri.v1.ContainerEventType;
import io.berth.cri.v1.GetEventsRequest;
import io.berth.cri.v1.RuntimeServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;

/** The container events of Berth, from now on until it is closed or the connection ends. */
public final class EventQueue implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    private final List<ContainerEventResponse> heard = new CopyOnWriteArrayList<>();
    private final CompletableFuture<Boolean> subscribed = new CompletableFuture<>();
    private final ClientCall<GetEventsRequest, ContainerEventResponse> call;

    /** Returns when the server has subscribed: it sends its headers then. */
    public EventQueue(Cri cri) {
        call = cri.call(RuntimeServiceGrpc.getGetContainerEventsMethod(), CallOptions.DEFAULT);
        call.start(new ClientCall.Listener<>() {
            @Override
            public void onHeaders(Metadata headers) {
                subscribed.complete(true);
            }

            @Override
            public void onMessage(ContainerEventResponse event) {
                heard.add(event);
                call.request(1);
            }
        }, new Metadata());
        call.request(1);
        call.sendMessage(GetEventsRequest.getDefaultInstance());
        call.halfClose();
        Await.until("the server has subscribed", LIMIT, subscribed::isDone, done -> done);
    }

    /** Those of the container or sandbox {@code id} so far, the first one first. */
    public List<ContainerEventResponse> of(String id) {
        return heard.stream().filter(event -> event.getContainerId().equals(id)).toList();
    }

    /** The event of the end of the container {@code id}. */
    public ContainerEventResponse awaitEnd(String id, Duration limit) {
        return await(id, ContainerEventType.CONTAINER_STOPPED_EVENT, limit);
    }

    /** The first event of {@code type} of the container or sandbox {@code id}. */
    public ContainerEventResponse await(String id, ContainerEventType type, Duration limit) {
        Predicate<ContainerEventResponse> wanted = event -> event.getContainerEventType() == type;
        return Await
                .until(type + " of " + id, limit, () -> of(id), events -> events.stream().anyMatch(wanted))
                .stream().filter(wanted).findFirst().orElseThrow();
    }

    @Override
    public void close() {
        call.cancel("no more events are wanted", null);
    }
}
