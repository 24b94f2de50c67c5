package io.berth.runtime.streaming;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.spdy.DefaultSpdyDataFrame;
import io.netty.handler.codec.spdy.DefaultSpdySynStreamFrame;
import io.netty.handler.codec.spdy.SpdyDataFrame;
import io.netty.handler.codec.spdy.SpdyFrame;
import io.netty.handler.codec.spdy.SpdyFrameCodec;
import io.netty.handler.codec.spdy.SpdyGoAwayFrame;
import io.netty.handler.codec.spdy.SpdySynReplyFrame;
import io.netty.handler.codec.spdy.SpdyVersion;
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A SPDY/3.1 client that, like Kubernetes', waits for the reply to every stream it opens and sends no windows. */
@SuppressWarnings("FutureReturnValueIgnored")
final class SpdyClient implements AutoCloseable {
    final Map<Integer, ByteArrayOutputStream> received = new ConcurrentHashMap<>();
    final CountDownLatch goneAway = new CountDownLatch(1);
    private final LinkedBlockingQueue<Integer> replies = new LinkedBlockingQueue<>();
    private final LinkedBlockingQueue<Integer> ends = new LinkedBlockingQueue<>();
    private final MultiThreadIoEventLoopGroup loop = new MultiThreadIoEventLoopGroup(1,
            NioIoHandler.newFactory());
    private final CompletableFuture<Integer> upgraded = new CompletableFuture<>();
    private @Nullable Channel channel;
    private int nextId = 1;

    static SpdyClient connect(URI url, List<String> protocols) throws Exception {
        var client = new SpdyClient();
        client.open(url, protocols);
        return client;
    }

    private void open(URI url, List<String> protocols) throws Exception {
        var request = new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, url.getRawPath());
        request.headers().set(HttpHeaderNames.HOST, url.getAuthority())
                .set(HttpHeaderNames.CONNECTION, "Upgrade")
                .set(HttpHeaderNames.UPGRADE, "SPDY/3.1").set(HttpHeaderNames.CONTENT_LENGTH, 0)
                .set("X-Stream-Protocol-Version", protocols);
        channel = new Bootstrap().group(loop).channel(NioSocketChannel.class)
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel fresh) {
                        fresh.pipeline().addLast(new HttpClientCodec(), new HttpObjectAggregator(1 << 16),
                                new Answer());
                    }
                }).connect(url.getHost(), url.getPort()).sync().channel();
        channel.writeAndFlush(request);
        assertThat(upgraded.get(10, TimeUnit.SECONDS)).isEqualTo(101);
    }

    /** Opens a stream and waits for its reply. */
    int stream(String... headers) throws InterruptedException {
        int id = nextId;
        nextId += 2;
        var syn = new DefaultSpdySynStreamFrame(id, 0, (byte) 0);
        for (int i = 0; i < headers.length; i += 2) {
            syn.headers().add(headers[i], headers[i + 1]);
        }
        received.put(id, new ByteArrayOutputStream());
        requireNonNull(channel).writeAndFlush(syn);
        assertThat(replies.poll(10, TimeUnit.SECONDS)).isEqualTo(id);
        return id;
    }

    void send(int id, byte[] data, boolean last) {
        var frame = new DefaultSpdyDataFrame(id, Unpooled.wrappedBuffer(data));
        frame.setLast(last);
        requireNonNull(channel).writeAndFlush(frame);
    }

    String text(int id) {
        return new String(bytes(id), StandardCharsets.UTF_8);
    }

    byte[] bytes(int id) {
        return requireNonNull(received.get(id)).toByteArray();
    }

    void awaitEndOf(int... ids) throws InterruptedException {
        for (int i = 0; i < ids.length; i++) {
            assertThat(ends.poll(20, TimeUnit.SECONDS)).isNotNull().isIn((Object[]) boxed(ids));
        }
    }

    private static Integer[] boxed(int[] ids) {
        Integer[] boxed = new Integer[ids.length];
        for (int i = 0; i < ids.length; i++) {
            boxed[i] = ids[i];
        }
        return boxed;
    }

    @Override
    public void close() {
        requireNonNull(channel).close();
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }

    private final class Answer extends SimpleChannelInboundHandler<FullHttpResponse> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, FullHttpResponse response) {
            ctx.pipeline().addLast(new SpdyFrameCodec(SpdyVersion.SPDY_3_1), new Frames());
            ctx.pipeline().remove(HttpObjectAggregator.class);
            ctx.pipeline().remove(HttpClientCodec.class);
            ctx.pipeline().remove(this);
            upgraded.complete(response.status().code());
        }
    }

    private final class Frames extends SimpleChannelInboundHandler<SpdyFrame> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, SpdyFrame frame) throws Exception {
            switch (frame) {
                case SpdySynReplyFrame reply -> {
                    // The Go client hangs on a reply whose header block is missing, as Netty writes an empty one.
                    assertThat(reply.headers().isEmpty()).isFalse();
                    replies.add(reply.streamId());
                }
                case SpdyDataFrame data -> {
                    var sink = requireNonNull(received.get(data.streamId()));
                    data.content().readBytes(sink, data.content().readableBytes());
                    if (data.isLast()) {
                        ends.add(data.streamId());
                    }
                }
                case SpdyGoAwayFrame _ -> goneAway.countDown();
                default -> {
                    // Nothing else matters to the tests.
                }
            }
        }
    }
}
