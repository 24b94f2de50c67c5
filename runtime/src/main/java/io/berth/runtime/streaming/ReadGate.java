package io.berth.runtime.streaming;

import io.netty.channel.Channel;
import java.util.concurrent.atomic.AtomicInteger;

/** Stops reading from a connection while at least one of its inlets is full. */
final class ReadGate {
    private final Channel channel;
    private final AtomicInteger holders = new AtomicInteger();

    ReadGate(Channel channel) {
        this.channel = channel;
    }

    void hold() {
        if (holders.incrementAndGet() == 1) {
            update();
        }
    }

    void release() {
        if (holders.decrementAndGet() == 0) {
            update();
        }
    }

    private void update() {
        // On the event loop the count decides, not the order in which two updates arrive.
        channel.eventLoop().execute(() -> channel.config().setAutoRead(holders.get() == 0));
    }
}
