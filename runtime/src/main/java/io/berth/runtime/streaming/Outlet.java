package io.berth.runtime.streaming;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The writing side of one connection for threads that may wait: a write waits while the connection's buffer is above its
 * high-water mark, so a slow client holds back whoever writes to it and nobody else.
 */
// Netty tells a failed write by closing the channel, which its handlers see.
@SuppressWarnings("FutureReturnValueIgnored")
final class Outlet extends ChannelInboundHandlerAdapter {
    private final Channel channel;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    Outlet(Channel channel) {
        this.channel = channel;
    }

    /** Sends {@code message}; throws {@link ClosedChannelException} once the client is gone. */
    void write(Object message) throws IOException, InterruptedException {
        lock.lock();
        try {
            while (channel.isActive() && !channel.isWritable()) {
                changed.await();
            }
        } finally {
            lock.unlock();
        }
        if (!channel.isActive()) {
            ReferenceCountUtil.release(message);
            throw new ClosedChannelException();
        }
        channel.writeAndFlush(message, channel.voidPromise());
    }

    boolean isOpen() { return channel.isActive(); }

    Channel channel() {
        return channel;
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        wake();
        ctx.fireChannelWritabilityChanged();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        wake();
        ctx.fireChannelInactive();
    }

    private void wake() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
