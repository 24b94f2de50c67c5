package io.berth.runtime.streaming;

import io.netty.channel.ChannelHandlerContext;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What follows when something goes wrong on a client's connection that no answer can tell of. */
// Netty tells a failed close by its future, and there is nothing left to do then.
@SuppressWarnings("FutureReturnValueIgnored")
final class Disconnect {
    private static final Logger log = LoggerFactory.getLogger(Disconnect.class);

    private Disconnect() {}

    /** Closes the connection. A client that went away is no news; everything else is. */
    static void after(ChannelHandlerContext ctx, Throwable cause) {
        (cause instanceof IOException ? log.atDebug() : log.atWarn())
                .addKeyValue("client", ctx.channel().remoteAddress()).setCause(cause)
                .log("a streaming connection is closed");
        ctx.close();
    }
}
