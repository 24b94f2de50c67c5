package io.berth.runtime.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.RuntimeServiceGrpc;
import io.berth.cri.v1.StatusRequest;
import io.berth.cri.v1.VersionRequest;
import io.berth.cri.v1.VersionResponse;
import io.berth.runtime.metrics.RpcTimer;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CriServerTest {
    @TempDir
    Path directory;

    @Test
    void servesOnASocketForRootAndItsGroupOnly() throws Exception {
        Path socket = directory.resolve("run/berth.sock");
        try (CriServer server = start(socket, new Echo())) {
            assertThat(server).isNotNull();
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                    .isEqualTo("rw-rw----");
            assertThat(version(socket)).isEqualTo("hello");
        }
        assertThat(directory.resolve("run")).isEmptyDirectory();
    }

    @Test
    void replacesASocketThatNobodyListensAt() throws Exception {
        Path socket = directory.resolve("berth.sock");
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(socket));
        }
        assertThat(socket).exists();
        try (CriServer server = start(socket, new Echo())) {
            assertThat(server).isNotNull();
            assertThat(version(socket)).isEqualTo("hello");
        }
    }

    @Test
    void leavesASocketAloneThatSomebodyListensAt() throws Exception {
        Path socket = directory.resolve("berth.sock");
        try (CriServer server = start(socket, new Echo())) {
            assertThat(server).isNotNull();
            assertThatThrownBy(() -> start(socket, new Echo())).isInstanceOf(DaemonException.class)
                    .hasMessage("another process listens at " + socket
                            + "; stop it, or choose another socket with --socket");
            assertThat(version(socket)).isEqualTo("hello");
        }
    }

    @Test
    void refusesToReplaceWhatIsNoSocket() throws Exception {
        Path file = Files.writeString(directory.resolve("berth.sock"), "precious");
        assertThatThrownBy(() -> start(file, new Echo())).isInstanceOf(DaemonException.class)
                .hasMessage(file + " is not a socket; remove it, or choose another with --socket");
        assertThat(file).hasContent("precious");
    }

    @Test
    void doesNotRemoveTheSocketOfItsSuccessor() throws Exception {
        Path socket = directory.resolve("berth.sock");
        CriServer first = start(socket, new Echo());
        Files.delete(socket);
        try (CriServer second = start(socket, new Echo())) {
            assertThat(second).isNotNull();
            first.close();
            assertThat(version(socket)).isEqualTo("hello");
        }
    }

    @Test
    void letsACallThatRunsComeToItsEnd() throws Exception {
        Path socket = directory.resolve("berth.sock");
        var running = new CountDownLatch(1);
        var release = new CountDownLatch(1);
        CriServer server = start(socket, new Echo() {
            @Override
            public void version(VersionRequest request, StreamObserver<VersionResponse> observer) {
                running.countDown();
                try {
                    release.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
                super.version(request, observer);
            }
        });
        CompletableFuture<String> answer = CompletableFuture.supplyAsync(() -> version(socket),
                Thread::startVirtualThread);
        assertThat(running.await(10, TimeUnit.SECONDS)).isTrue();
        CompletableFuture<Void> stopped = CompletableFuture
                .runAsync(() -> server.stop(Duration.ofSeconds(10)), Thread::startVirtualThread);
        while (Files.exists(socket)) {
            Thread.onSpinWait();
        }
        release.countDown();
        assertThat(answer.get(10, TimeUnit.SECONDS)).isEqualTo("hello");
        stopped.get(10, TimeUnit.SECONDS);
    }

    @Test
    void timesEveryCallByMethodAndCode() throws Exception {
        Path socket = directory.resolve("berth.sock");
        var registry = new SimpleMeterRegistry();
        try (CriServer server = CriServer.start(socket, List.of(new Echo()),
                List.of(new RpcTimer(registry)))) {
            assertThat(server).isNotNull();
            version(socket);
            assertThatThrownBy(() -> call(socket, stub -> stub.status(StatusRequest.getDefaultInstance())))
                    .isInstanceOfSatisfying(StatusRuntimeException.class,
                            e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNIMPLEMENTED));
        }
        assertThat(registry.get("berth.rpc").tag("method", "Version").tag("code", "OK").timer().count())
                .isEqualTo(1);
        assertThat(registry.get("berth.rpc").tag("method", "Status").tag("code", "UNIMPLEMENTED").timer()
                .count())
                .isEqualTo(1);
    }

    private static CriServer start(Path socket, Echo service) throws DaemonException {
        return CriServer.start(socket, List.of(service), List.of());
    }

    private static String version(Path socket) {
        return call(socket, stub -> stub.version(VersionRequest.getDefaultInstance())).getRuntimeName();
    }

    private static <T> T call(Path socket, Function<RuntimeServiceGrpc.RuntimeServiceBlockingStub, T> rpc) {
        try (var eventLoop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory())) {
            ManagedChannel channel = NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                    .channelType(EpollDomainSocketChannel.class).eventLoopGroup(eventLoop).usePlaintext()
                    .overrideAuthority("localhost").build();
            try {
                return rpc.apply(
                        RuntimeServiceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS));
            } finally {
                channel.shutdownNow();
            }
        }
    }

    /** A runtime that knows its name only. */
    private static class Echo extends RuntimeServiceGrpc.RuntimeServiceImplBase {
        @Override
        public void version(VersionRequest request, StreamObserver<VersionResponse> observer) {
            observer.onNext(VersionResponse.newBuilder().setRuntimeName("hello").build());
            observer.onCompleted();
        }
    }
}
