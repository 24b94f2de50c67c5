package io.berth.runtime.streaming;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import java.util.concurrent.TimeUnit;

/**
 * Closes a connection without losing what was sent last: closing a socket that still has unread input makes the kernel
 * send RST, and the client's kernel then throws away output that the client has not read yet. So the client closes
 * first, and only one that does not is closed by us.
 */
// Netty tells a failed write by closing the channel, which its handlers see.
@SuppressWarnings("FutureReturnValueIgnored")
final class Lingering {
    private static final long SECONDS = 10;

    private Lingering() {}

    /** Sends {@code last} and closes once the client has, at the latest after {@value #SECONDS} s. */
    static void close(Channel channel, Object last) {
        channel.writeAndFlush(last).addListener(written -> {
            if (!written.isSuccess()) {
                channel.close();
                return;
            }
            channel.config().setAutoRead(true);
            var timeout = channel.eventLoop().schedule(() -> channel.close(), SECONDS, TimeUnit.SECONDS);
            channel.closeFuture().addListener((ChannelFutureListener) _ -> timeout.cancel(false));
        });
    }
}
