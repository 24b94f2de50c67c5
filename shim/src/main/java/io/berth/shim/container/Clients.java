package io.berth.shim.container;

import io.berth.shim.libc.EventLoop;
import io.berth.shim.libc.Libc;
import io.berth.shim.wire.Wire;
import org.jspecify.annotations.Nullable;

/** Everybody who is connected; the table grows to its limit and is used again. */
final class Clients {
    static final int MAX = Execs.MAX + 32;

    private final Requests requests;
    private final EventLoop loop;
    private final @Nullable Connection[] connections = new @Nullable Connection[MAX];

    Clients(Requests requests, EventLoop loop) {
        this.requests = requests;
        this.loop = loop;
    }

    /** Takes over a new connection, or closes it where there are too many. */
    void accepted(int fd) {
        for (int i = 0; i < MAX; i++) {
            Connection client = connections[i];
            if (client == null) {
                client = new Connection(requests, loop);
                connections[i] = client;
            }
            if (!client.isOpen()) {
                client.open(fd);
                return;
            }
        }
        Libc.close(fd);
    }

    boolean any() {
        for (int i = 0; i < MAX; i++) {
            Connection client = connections[i];
            if (client != null && client.isOpen()) {
                return true;
            }
        }
        return false;
    }

    /** Gives the container's output to all who are attached. */
    void output(int type, byte[] bytes, int offset, int length) {
        for (int i = 0; i < MAX; i++) {
            Connection client = connections[i];
            if (client != null && client.isOpen() && client.attached()) {
                for (int done = 0; done < length; done += Wire.MAX_BODY_BYTES) {
                    client.send(type, bytes, offset + done, Math.min(Wire.MAX_BODY_BYTES, length - done));
                }
            }
        }
    }

    /** Whether somebody who is attached has not taken all of the output yet. */
    boolean anyLags() {
        for (int i = 0; i < MAX; i++) {
            Connection client = connections[i];
            if (client != null && client.lags()) {
                return true;
            }
        }
        return false;
    }

    void dropThoseWhoLag() {
        for (int i = 0; i < MAX; i++) {
            Connection client = connections[i];
            if (client != null && client.lags()) {
                client.hangUp();
            }
        }
    }

    /** Tells the container's end to all who watch or are attached. */
    void ended(byte[] exit) {
        for (int i = 0; i < MAX; i++) {
            Connection client = connections[i];
            if (client != null && client.isOpen() && (client.watches() || client.attached())) {
                client.send(Wire.EXIT, exit, 0, exit.length);
                if (client.attached()) {
                    client.closeWhenSent();
                }
            }
        }
    }

    /** A process takes input again, or never will. */
    void stdinReady(Stdin which) {
        for (int i = 0; i < MAX; i++) {
            Connection client = connections[i];
            if (client != null && client.isOpen() && client.stalledOn() == which) {
                client.resume();
            }
        }
    }
}
