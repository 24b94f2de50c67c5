package io.berth.e2e.streaming;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.Deflater;
import org.jspecify.annotations.Nullable;

/** SPDY/3.1, as much of it as kubectl uses. */
final class SpdyClient extends StreamClient {
    private static final int SYN_STREAM = 0x80030001;
    private static final int LAST = 1 << 24;
    private static final int CONTROL = 0x80000000;
    private static final int LENGTH = 0xffffff;
    private static final int HEADER_BYTES = 8;

    /** One for all header blocks of a connection, as the protocol wants it. */
    private final Deflater deflater = new Deflater();
    private final Map<Integer, Integer> streamOfChannel = new HashMap<>();
    private final Map<Integer, Integer> channelOfStream = new HashMap<>();
    private int nextStream = 1;

    private SpdyClient(URI url, String protocol) throws IOException {
        super(url, """
            POST %s HTTP/1.1\r
            Host: %s\r
            Connection: Upgrade\r
            Upgrade: SPDY/3.1\r
            X-Stream-Protocol-Version: %s\r
            Content-Length: 0\r
            \r
            """.formatted(url.getRawPath(), url.getAuthority(), protocol));
    }

    static SpdyClient connect(URI url, boolean forward, boolean stdin) throws IOException {
        if (forward) {
            var client = new SpdyClient(url, "portforward.k8s.io");
            client.open(PORT_ERROR, "streamtype", "error", "port", "8080", "requestid", "0");
            client.open(PORT_DATA, "streamtype", "data", "port", "8080", "requestid", "0");
            return client;
        }
        var client = new SpdyClient(url, "v4.channel.k8s.io");
        client.open(ERROR, "streamtype", "error");
        if (stdin) {
            client.open(STDIN, "streamtype", "stdin");
        }
        client.open(STDOUT, "streamtype", "stdout");
        return client;
    }

    private void open(int channel, String... headers) throws IOException {
        byte[] block = compressed(headers);
        int id = nextStream;
        nextStream += 2;
        streamOfChannel.put(channel, id);
        channelOfStream.put(id, channel);
        var frame = new ByteArrayOutputStream();
        var data = new DataOutputStream(frame);
        data.writeInt(SYN_STREAM);
        data.writeInt(10 + block.length);
        data.writeInt(id);
        data.writeInt(0);
        data.writeShort(0);
        data.write(block);
        out.write(frame.toByteArray());
    }

    private byte[] compressed(String... headers) throws IOException {
        var block = new ByteArrayOutputStream();
        var data = new DataOutputStream(block);
        data.writeInt(headers.length / 2);
        for (String text : headers) {
            data.writeInt(text.length());
            data.write(text.getBytes(StandardCharsets.US_ASCII));
        }
        deflater.setInput(block.toByteArray());
        byte[] compressed = new byte[1024];
        int length = deflater.deflate(compressed, 0, compressed.length, Deflater.SYNC_FLUSH);
        return Arrays.copyOf(compressed, length);
    }

    @Override
    public void write(int channel, byte[] bytes, int length) throws IOException {
        send(channel, bytes, length, 0);
    }

    @Override
    public void end(int channel) throws IOException {
        send(channel, new byte[0], 0, LAST);
    }

    private void send(int channel, byte[] bytes, int length, int flags) throws IOException {
        byte[] frame = new byte[HEADER_BYTES + length];
        ByteBuffer.wrap(frame).putInt(streamOfChannel.getOrDefault(channel, 0)).putInt(flags | length)
                .put(bytes, 0, length);
        out.write(frame);
    }

    @Override
    public @Nullable Data read() throws IOException {
        try {
            while (true) {
                int first = in.readInt();
                int length = in.readInt() & LENGTH;
                byte[] body = new byte[length];
                in.readFully(body);
                Integer channel = channelOfStream.get(first);
                if ((first & CONTROL) == 0 && channel != null && length > 0) {
                    return new Data(channel, body);
                }
            }
        } catch (EOFException | SocketException e) {
            return null;
        }
    }

    @Override
    public void close() throws IOException {
        deflater.end();
        super.close();
    }
}
