package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.atomic.AtomicInteger;

/** TCP ports of the node and of its pods. */
public final class Ports {
    private static final int TIMEOUT_MILLIS = 1000;
    private static final AtomicInteger NEXT = new AtomicInteger(15_000);

    private Ports() {}

    /**
     * One of loopback that nobody listens on, below those that the kernel gives to connections, and another one with each
     * call.
     */
    public static int free() {
        while (true) {
            int port = NEXT.getAndIncrement();
            try (var socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                return socket.getLocalPort();
            } catch (BindException e) {
                // Taken: the next one.
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Whether a connection to {@code address} (a literal) is accepted. */
    public static boolean isOpen(String address, int port) {
        try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.ofLiteral(address), port), TIMEOUT_MILLIS);
            return true;
        } catch (IOException e) {
            return false;
        }
    }
}
