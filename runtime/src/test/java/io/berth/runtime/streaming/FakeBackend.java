package io.berth.runtime.streaming;

import io.berth.runtime.shim.ExecSession;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;

/** Sessions that echo stdin to stdout until its end, then say "ended" on stderr and give {@link #exitCode}. */
final class FakeBackend implements StreamingBackend {
    final BlockingQueue<String> resizes = new LinkedBlockingQueue<>();
    /** How many sizes had been applied when input came. */
    final BlockingQueue<Integer> resizesBeforeInput = new LinkedBlockingQueue<>();
    volatile Duration resizeTime = Duration.ZERO;
    final CountDownLatch closed = new CountDownLatch(1);
    volatile int exitCode;
    volatile boolean exitAtOnce;
    volatile String failure = "";

    @Override
    public ExecSession exec(StreamRequest.Exec request) throws IOException {
        if (!failure.isEmpty()) {
            throw new IOException(failure);
        }
        return new Echo();
    }

    @Override
    public ExecSession attach(StreamRequest.Attach request) {
        return new Echo();
    }

    @Override
    public SocketChannel connect(String sandboxId, int port) throws IOException {
        return SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    }

    private final class Echo implements ExecSession {
        private final BlockingQueue<ByteBuffer> input = new LinkedBlockingQueue<>();

        @Override
        public long pid() {
            return 1;
        }

        @Override
        public int run(Output output) throws IOException {
            try {
                if (exitAtOnce) {
                    return exitCode;
                }
                for (ByteBuffer data = input.take(); data.hasRemaining(); data = input.take()) {
                    output.stdout(data);
                }
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
            output.stderr(ByteBuffer.wrap("ended".getBytes(StandardCharsets.UTF_8)));
            return exitCode;
        }

        @Override
        public CompletableFuture<Integer> exitCode() {
            return new CompletableFuture<>();
        }

        @Override
        public void writeStdin(ByteBuffer data) {
            resizesBeforeInput.add(resizes.size());
            input.add(data);
        }

        @Override
        public void closeStdin() {
            input.add(ByteBuffer.allocate(0));
        }

        @Override
        public void resize(int columns, int rows) throws IOException {
            try {
                Thread.sleep(resizeTime);
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
            resizes.add(columns + "x" + rows);
        }

        @Override
        public void kill(int signal) {}

        @Override
        public void close() {
            closed.countDown();
            input.add(ByteBuffer.allocate(0));
        }
    }
}
