package io.berth.runtime.shim;

import io.berth.linux.Fd;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.shim.wire.Wire;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One connection to a shim: frames out and in, after the handshake. One thread may read while others write. A call whose deadline
 * passes closes the connection.
 */
final class ShimConnection implements Closeable {
    private static final String SOCKET = "shim.sock";
    /** Below what {@code sun_path} holds: the JDK refuses a path that fills it. */
    private static final int MAX_PATH_BYTES = 100;
    /** Enough for the replies to calls; most connections are for one. */
    private static final int FIRST_BUFFER_BYTES = 1024;
    private static final int STREAM_BUFFER_BYTES = 64 * 1024;

    /** What a shim says of itself. */
    record Welcome(int version, int state, long shimPid, long containerPid) {}

    /** A frame; the body is good until the next one is read. */
    record Frame(int type, ByteBuffer body) {}

    private final Path directory;
    private final SocketChannel channel;
    private ByteBuffer in = ByteBuffer.allocateDirect(FIRST_BUFFER_BYTES).flip();
    private final ByteBuffer header = ByteBuffer.allocateDirect(Wire.HEADER_BYTES);
    private final ReentrantLock writing = new ReentrantLock();

    private ShimConnection(Path directory, SocketChannel channel) {
        this.directory = directory;
        this.channel = channel;
    }

    /**
     * Connects to the shim in {@code directory}.
     *
     * @throws ShimException of kind GONE where none listens
     */
    static ShimConnection open(Path directory) throws ShimException {
        try {
            return new ShimConnection(directory, connect(directory.resolve(SOCKET)));
        } catch (ShimException e) {
            throw e;
        } catch (ConnectException e) {
            throw new ShimException(ShimException.Kind.GONE, "no shim listens in " + directory, e);
        } catch (IOException e) {
            ShimException.Kind kind = directory.resolve(SOCKET).toFile().exists()
                    ? ShimException.Kind.FAILED
                    : ShimException.Kind.GONE;
            throw new ShimException(kind, "connect to the shim in " + directory + ": " + e.getMessage(), e);
        }
    }

    private static SocketChannel connect(Path socket) throws IOException {
        if (socket.toString().getBytes(StandardCharsets.UTF_8).length <= MAX_PATH_BYTES) {
            return connect(UnixDomainSocketAddress.of(socket));
        }
        Path parent = java.util.Objects.requireNonNull(socket.getParent());
        try (Fd dir = Openat.open(RawPath.of(parent.toString()), OpenFlags.O_PATH | OpenFlags.O_CLOEXEC)) {
            return connect(UnixDomainSocketAddress.of("/proc/self/fd/" + dir.number() + "/" + SOCKET));
        }
    }

    /** Does not wait: a shim that does not accept must not hold a carrier thread. */
    private static SocketChannel connect(UnixDomainSocketAddress address) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.configureBlocking(false);
            if (!channel.connect(address)) {
                throw busy(address, null);
            }
            channel.configureBlocking(true);
            return channel;
        } catch (IOException e) {
            channel.close();
            // EAGAIN: its queue of connections is full.
            throw String.valueOf(e.getMessage()).contains("temporarily unavailable") ? busy(address, e) : e;
        }
    }

    private static ShimException busy(UnixDomainSocketAddress address, @Nullable IOException cause) {
        return new ShimException(ShimException.Kind.BUSY, "the shim at " + address
                + " takes no more connections: it is stopped, or does not get on", cause);
    }

    /** Says hello, now or again. */
    Welcome hello() throws IOException {
        send(Wire.HELLO, ByteBuffer.allocate(2).putShort((short) Wire.VERSION).flip());
        ByteBuffer body = expect(Wire.WELCOME);
        int version = body.getShort();
        if (version < Wire.OLDEST_VERSION || version > Wire.VERSION) {
            throw new ShimException(ShimException.Kind.FAILED,
                    "the shim in " + directory + " speaks protocol " + version + ", this daemon "
                            + Wire.OLDEST_VERSION + " to " + Wire.VERSION
                            + ": another version of Berth started it. Its container runs on; install that"
                            + " version again, or stop the container");
        }
        return new Welcome(version, body.get(), body.getInt(), body.getInt());
    }

    /** Reads a frame that must be of {@code type}; an ERROR becomes an exception. */
    ByteBuffer expect(int type) throws IOException {
        Frame frame = receive();
        if (frame == null) {
            throw new ShimException(ShimException.Kind.GONE, "the shim in " + directory + " has hung up");
        }
        if (frame.type() == Wire.ERROR) {
            throw error(frame.body());
        }
        if (frame.type() != type) {
            throw new ShimException(ShimException.Kind.FAILED,
                    "the shim in " + directory + " answered with frame " + frame.type() + ", not " + type);
        }
        return frame.body();
    }

    private ShimException error(ByteBuffer body) {
        int kind = body.hasRemaining() ? body.get() : Wire.ERROR_PROTOCOL;
        String text = StandardCharsets.UTF_8.decode(body).toString();
        return switch (kind) {
            case Wire.ERROR_OCI -> new ShimException(ShimException.Kind.OCI, RuntimeLog.message(text));
            case Wire.ERROR_STATE -> new ShimException(ShimException.Kind.STATE, text);
            case Wire.ERROR_BUSY -> new ShimException(ShimException.Kind.BUSY, text);
            default -> new ShimException(ShimException.Kind.FAILED, text);
        };
    }

    ByteBuffer call(int type, byte[] body, int reply) throws IOException {
        send(type, ByteBuffer.wrap(body));
        return expect(reply);
    }

    /** Sends one frame; {@code body} is at most {@link Wire#MAX_BODY_BYTES} long and consumed. */
    void send(int type, ByteBuffer body) throws IOException {
        writing.lock();
        try {
            header.clear().putInt(body.remaining() + 1).put((byte) type).flip();
            ByteBuffer[] frame = {header, body};
            while (header.hasRemaining() || body.hasRemaining()) {
                channel.write(frame);
            }
        } finally {
            writing.unlock();
        }
    }

    /** The next frame, or null at the end of the connection. */
    @Nullable
    Frame receive() throws IOException {
        if (!fill(Wire.HEADER_BYTES)) {
            return null;
        }
        int length = in.getInt() - 1;
        int type = in.get();
        if (length < 0 || length > Wire.MAX_BODY_BYTES) {
            throw new ShimException(ShimException.Kind.FAILED,
                    "the shim in " + directory + " sent a frame of " + length);
        }
        if (!fill(length)) {
            throw new EOFException("the shim in " + directory + " hung up within a frame");
        }
        ByteBuffer body = in.slice(in.position(), length);
        in.position(in.position() + length);
        return new Frame(type, body);
    }

    /** Sees to it that {@code count} bytes can be had from the buffer; false at the end of the connection. */
    private boolean fill(int count) throws IOException {
        if (in.remaining() >= count) {
            return true;
        }
        makeRoom(count);
        while (in.position() < count) {
            if (channel.read(in) < 0) {
                in.flip();
                if (in.hasRemaining()) {
                    throw new EOFException("the shim in " + directory + " hung up within a frame");
                }
                return false;
            }
        }
        in.flip();
        return true;
    }

    /** Lets the buffer be written to, behind what is in it, up to {@code count} bytes at the least. */
    private void makeRoom(int count) {
        if (count <= in.capacity()) {
            in.compact();
        } else {
            in = ByteBuffer.allocateDirect(Math.max(count, STREAM_BUFFER_BYTES)).put(in);
        }
    }

    /** What {@link #within} runs. */
    interface Exchange<T> {
        T run() throws IOException;
    }

    /** Runs {@code exchange} on this connection, which is closed where the deadline passes first. */
    <T> T within(Deadline deadline, String step, Exchange<T> exchange) throws ShimException {
        ScheduledFuture<?> alarm = deadline.closes(channel);
        try {
            return exchange.run();
        } catch (ShimException e) {
            throw e;
        } catch (ClosedChannelException e) {
            throw deadline.passed()
                    ? new ShimException(ShimException.Kind.TIMEOUT,
                            step + ": the shim in " + directory + " did not answer in time", e)
                    : new ShimException(ShimException.Kind.FAILED, step + ": the connection was closed", e);
        } catch (IOException e) {
            throw new ShimException(ShimException.Kind.GONE,
                    step + ": the shim in " + directory + " is gone: " + e.getMessage(),
                    e);
        } finally {
            alarm.cancel(false);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new IllegalStateException("close a socket", e);
        }
    }
}
