package io.berth.e2e.streaming;

import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** WebSocket with the channel protocols of Kubernetes. */
final class WebSocketClient extends StreamClient {
    private static final int BINARY = 0x82;
    private static final int CLOSE = 0x88;
    private static final int MASKED = 0x80;
    private static final int SHORT_LENGTH = 126;
    private static final int LONG_LENGTH = 127;
    private static final int MAX_SHORT = 0xffff;
    private static final int MAX_HEADER_BYTES = 14;
    /** Of v5: the channel that ends the one it names. */
    private static final byte END_OF_CHANNEL = (byte) 255;

    private final boolean forward;
    private int portsTold;

    private WebSocketClient(URI url, String protocol, boolean forward) throws IOException {
        super(url, """
            GET %s?ports=8080 HTTP/1.1\r
            Host: %s\r
            Connection: Upgrade\r
            Upgrade: websocket\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r
            Sec-WebSocket-Protocol: %s\r
            \r
            """.formatted(url.getRawPath(), url.getAuthority(), protocol));
        this.forward = forward;
    }

    static WebSocketClient connect(URI url, boolean forward) throws IOException {
        return new WebSocketClient(url, forward ? "v4.channel.k8s.io" : "v5.channel.k8s.io", forward);
    }

    @Override
    public void write(int channel, byte[] bytes, int length) throws IOException {
        send((byte) channel, bytes, length);
    }

    @Override
    public void end(int channel) throws IOException {
        if (forward) {
            throw new IOException("v4.channel.k8s.io cannot end one channel");
        }
        send(END_OF_CHANNEL, new byte[]{(byte) channel}, 1);
    }

    /** Masked with zero, which leaves the bytes as they are. */
    private void send(byte channel, byte[] bytes, int length) throws IOException {
        ByteBuffer frame = ByteBuffer.allocate(MAX_HEADER_BYTES + 1 + length);
        frame.put((byte) BINARY);
        int size = length + 1;
        if (size < SHORT_LENGTH) {
            frame.put((byte) (MASKED | size));
        } else if (size <= MAX_SHORT) {
            frame.put((byte) (MASKED | SHORT_LENGTH)).putShort((short) size);
        } else {
            frame.put((byte) (MASKED | LONG_LENGTH)).putLong(size);
        }
        frame.putInt(0).put(channel).put(bytes, 0, length);
        out.write(frame.array(), 0, frame.position());
    }

    @Override
    public @Nullable Data read() throws IOException {
        try {
            while (true) {
                int opcode = in.readUnsignedByte();
                byte[] payload = new byte[length()];
                in.readFully(payload);
                if (opcode == CLOSE) {
                    return null;
                }
                if (payload.length > 1 && !isPortNumber(payload)) {
                    return new Data(payload[0], Arrays.copyOfRange(payload, 1, payload.length));
                }
            }
        } catch (EOFException | SocketException e) {
            return null;
        }
    }

    private int length() throws IOException {
        int length = in.readUnsignedByte();
        return switch (length) {
            case SHORT_LENGTH -> in.readUnsignedShort();
            case LONG_LENGTH -> Math.toIntExact(in.readLong());
            default -> length;
        };
    }

    /** The first message of each channel of a port-forward tells its port. */
    private boolean isPortNumber(byte[] payload) {
        if (!forward || payload.length != 3 || portsTold == 2) {
            return false;
        }
        portsTold++;
        return true;
    }
}
