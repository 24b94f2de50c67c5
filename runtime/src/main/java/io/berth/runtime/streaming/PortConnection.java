package io.berth.runtime.streaming;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** One forwarded connection: copies both ways until both ends have closed, or the client is gone. */
final class PortConnection {
    private static final int BUFFER_BYTES = 32 << 10;

    /** The client's side. */
    interface Client {
        Inlet inlet();

        void write(ByteBuffer data) throws IOException, InterruptedException;

        /** The pod's side has no more to say. */
        void finish() throws IOException, InterruptedException;

        /** Runs {@code action} once when the client has dropped this connection. */
        void onDrop(Runnable action);
    }

    private PortConnection() {}

    /** Copies on the calling thread and one more; closes {@code remote}. Returns when both directions have ended. */
    static void join(SocketChannel remote, Client client) throws IOException, InterruptedException {
        try (remote) {
            client.onDrop(() -> closeQuietly(remote));
            Thread upstream = Thread.ofVirtual().start(() -> copyToPod(client.inlet(), remote));
            try {
                copyToClient(remote, client);
                client.finish();
                upstream.join();
            } finally {
                client.inlet().discard();
            }
        }
    }

    private static void copyToClient(SocketChannel remote, Client client)
            throws IOException, InterruptedException {
        ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
        while (remote.read(buffer) >= 0) {
            client.write(buffer.flip());
            buffer.clear();
        }
    }

    private static void copyToPod(Inlet inlet, SocketChannel remote) {
        try {
            for (ByteBuffer data = inlet.take(); data != null; data = inlet.take()) {
                while (data.hasRemaining()) {
                    remote.write(data);
                }
            }
            remote.shutdownOutput();
        } catch (IOException e) {
            // The pod has closed: whatever the client still sends has no reader, and the other direction tells the client.
            inlet.discard();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void closeQuietly(SocketChannel remote) {
        try {
            remote.close();
        } catch (IOException e) {
            // Nothing is left to do with a socket that does not close.
        }
    }
}
