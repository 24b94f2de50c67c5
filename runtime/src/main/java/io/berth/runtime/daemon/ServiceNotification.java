package io.berth.runtime.daemon;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells the service supervisor how far the daemon is, as {@code sd_notify(3)} describes it. */
final class ServiceNotification {
    private static final Logger log = LoggerFactory.getLogger(ServiceNotification.class);

    private final Optional<String> address;

    /** @param address value of {@code NOTIFY_SOCKET}: a path, or {@code @} and an abstract name; empty for nobody */
    ServiceNotification(Optional<String> address) {
        this.address = address.filter(a -> !a.isEmpty());
    }

    /** The daemon serves. */
    void ready() {
        send("READY=1\nSTATUS=Serving the CRI");
    }

    /** The daemon has begun to stop. */
    void stopping() {
        send("STOPPING=1");
    }

    private void send(String state) {
        address.ifPresent(to -> send(to, state));
    }

    private static void send(String to, String state) {
        Epoll.ensureAvailability();
        Socket socket = Socket.newSocketDomainDgram();
        try {
            byte[] bytes = state.getBytes(StandardCharsets.UTF_8);
            ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length).put(bytes);
            String path = to.startsWith("@") ? "\0" + to.substring(1) : to;
            int sent = socket.sendToDomainSocket(buffer, 0, bytes.length,
                    path.getBytes(StandardCharsets.UTF_8));
            if (sent != bytes.length) {
                log.atWarn().addKeyValue("socket", to).addKeyValue("result", sent)
                        .log("cannot notify the service supervisor");
            }
        } catch (IOException e) {
            log.atWarn().addKeyValue("socket", to).setCause(e).log("cannot notify the service supervisor");
        } finally {
            try {
                socket.close();
            } catch (IOException e) {
                log.atDebug().setCause(e).log("cannot close the notification socket");
            }
        }
    }
}
