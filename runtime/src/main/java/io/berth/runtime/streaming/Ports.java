package io.berth.runtime.streaming;

import java.io.IOException;

/** Port numbers as clients write them, and what a client is told when one cannot be reached. */
final class Ports {
    private static final int MAX = 65535;

    private Ports() {}

    static int parse(String text) throws IOException {
        try {
            int port = Integer.parseInt(text);
            if (port > 0 && port <= MAX) {
                return port;
            }
        } catch (NumberFormatException e) {
            // Told below, with the text.
        }
        throw new IOException("\"" + text + "\" is not a port number (1 to " + MAX + ")");
    }

    static String failure(String port, StreamRequest.PortForward request, IOException cause) {
        return "port " + port + " of pod sandbox " + request.sandboxId() + ": " + cause.getMessage();
    }
}
