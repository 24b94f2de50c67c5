package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerEventResponse;
import io.berth.cri.v1.ExecRequest;
import io.berth.cri.v1.GetEventsRequest;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.cri.v1.ListContainersResponse;
import io.berth.cri.v1.RuntimeServiceGrpc;
import io.berth.cri.v1.VersionRequest;
import io.berth.cri.v1.VersionResponse;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.cri.RawHttp2;
import io.berth.e2e.node.Footprint;
import io.berth.e2e.node.Node;
import io.berth.e2e.streaming.StreamClient;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.IOException;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Clients that do not behave; what the others and the daemon's memory notice of them. */
@Testcontainers
final class BadClientsIT {
    private static final int REQUESTS = Integer.getInteger("e2e.requests", 100_000);
    private static final int CONNECTIONS = 100;
    private static final int CALLS_OF_A_CONNECTION = 1024;
    /** What a good client's call may take meanwhile, on two busy cores. */
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final long HEAP_GROWTH_KIB = 4 << 10;
    private static final int MEBIBYTE = 1 << 20;
    /** Threads that virtual ones run on come and go. */
    private static final int CARRIERS = 8;
    /** Beyond the heap's limit and what a JVM takes beside it. */
    private static final long PEAK_KIB = 600 << 10;

    @Container
    static final Node NODE = new Node();

    private static PodHandle pod;
    private static ContainerHandle container;
    private Footprint before;

    @BeforeAll
    static void runAPod() {
        pod = NODE.pod("good", "crun");
        container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
        Footprint.of(NODE.server().pid());
    }

    @AfterAll
    static void removeIt() {
        pod.close();
    }

    @BeforeEach
    void look() {
        before = Footprint.of(NODE.server().pid());
        Footprint.forgetPeak(NODE.server().pid());
    }

    @Test
    void connectionsThatSayNothingOrGarbageHoldUpNobodyAndAreClosed() throws Exception {
        var random = new Random(3);
        var open = new ArrayList<SocketChannel>();
        for (int i = 0; i < 500; i++) {
            SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            channel.connect(UnixDomainSocketAddress.of(NODE.server().socket()));
            byte[] bytes = switch (i % 4) {
                case 0 -> new byte[0];
                case 1 -> "PRI * HTTP/2.0\r\n".getBytes(StandardCharsets.US_ASCII);
                case 2 -> "GET / HTTP/1.1\r\nHost: a\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
                default -> {
                    byte[] garbage = new byte[1000];
                    random.nextBytes(garbage);
                    yield garbage;
                }
            };
            channel.write(ByteBuffer.wrap(bytes));
            open.add(channel);
        }
        assertServed();
        // The daemon hangs up by itself: nobody closes here.
        Await.until("the daemon has hung up", PATIENCE, () -> Footprint.descriptors(NODE.server().pid()),
                count -> count <= before.descriptors() + 2);
        for (SocketChannel channel : open) {
            channel.close();
        }
        assertNothingIsHeld();
    }

    @Test
    void subscribersThatDoNotReadHoldUpNobody() throws Exception {
        var calls = new ArrayList<ClientCall<GetEventsRequest, ContainerEventResponse>>();
        try (Cri bad = Cri.connect(NODE.server().socket())) {
            for (int i = 0; i < 200; i++) {
                calls.add(unread(bad, RuntimeServiceGrpc.getGetContainerEventsMethod(),
                        GetEventsRequest.getDefaultInstance()));
            }
            for (int i = 0; i < 5; i++) {
                NODE.pod("eventful", "crun").close();
            }
            assertThat(calls).hasSize(200);
            assertServed();
            assertThat(Footprint.of(NODE.server().pid()).heapKib())
                    .isLessThan(before.heapKib() + 2 * HEAP_GROWTH_KIB);
        }
        assertNothingIsHeld();
    }

    @Test
    void answersThatNobodyReadsDoNotFillTheMemory() throws Exception {
        var pods = new ArrayList<PodHandle>();
        for (int i = 0; i < 4; i++) {
            pods.add(PodHandle.run(NODE.cri(), Configs.hostNetworkPod("large", NODE.logs()), "crun"));
            pods.getLast().create(Configs.container("main", NODE.busybox(), "true")
                    .putAnnotations("large", "x".repeat(500 << 10)));
        }
        try (Cri bad = Cri.connect(NODE.server().socket())) {
            // 2 MB each.
            for (int i = 0; i < 500; i++) {
                unread(bad, RuntimeServiceGrpc.getListContainersMethod(),
                        ListContainersRequest.getDefaultInstance());
            }
            long end = System.nanoTime() + Duration.ofSeconds(3).toNanos();
            while (System.nanoTime() < end) {
                assertServed();
            }
        }
        assertThat(Footprint.peakKib(NODE.server().pid())).isLessThan(PEAK_KIB);
        pods.forEach(PodHandle::close);
        assertNothingIsHeld();
    }

    @Test
    void requestsThatAreNeverCompletedDoNotFillTheMemory() throws Exception {
        var sent = new AtomicLong();
        try (RawHttp2 bad = new RawHttp2(NODE.server().socket())) {
            Thread.startVirtualThread(() -> flood(bad, sent));
            long end = System.nanoTime() + Duration.ofSeconds(5).toNanos();
            while (System.nanoTime() < end) {
                assertServed();
            }
        }
        assertThat(Footprint.peakKib(NODE.server().pid())).isLessThan(PEAK_KIB);
        assertNothingIsHeld();
        assertThat(sent.get()).as("bytes that the daemon took of them").isGreaterThan(MEBIBYTE);
    }

    @Test
    void aHundredThousandRequestsOnOneConnectionAreAnswered() throws Exception {
        try (Cri cri = Cri.connect(NODE.server().socket())) {
            var inFlight = new Semaphore(500);
            var answered = new CountDownLatch(REQUESTS);
            var failed = new AtomicInteger();
            for (int i = 0; i < REQUESTS; i++) {
                inFlight.acquire();
                ClientCall<VersionRequest, VersionResponse> call = cri
                        .call(RuntimeServiceGrpc.getVersionMethod(), CallOptions.DEFAULT);
                call.start(new ClientCall.Listener<>() {
                    @Override
                    public void onClose(Status status, Metadata trailers) {
                        failed.addAndGet(status.isOk() ? 0 : 1);
                        inFlight.release();
                        answered.countDown();
                    }
                }, new Metadata());
                call.request(2);
                call.sendMessage(VersionRequest.getDefaultInstance());
                call.halfClose();
            }
            assertServed();
            assertThat(answered.await(5, TimeUnit.MINUTES)).isTrue();
            assertThat(failed.get()).isZero();
        }
        assertNothingIsHeld();
    }

    @Test
    void callsBeyondAConnectionsLimitAreRefusedAndOthersServed() throws Exception {
        try (RawHttp2 bad = new RawHttp2(NODE.server().socket())) {
            Thread.startVirtualThread(bad::listen);
            bad.awaitSettings();
            for (int i = 0; i < 2 * CALLS_OF_A_CONNECTION; i++) {
                bad.call("GetContainerEvents");
            }
            Await.until("the rest is refused", PATIENCE, bad::refused,
                    count -> count == CALLS_OF_A_CONNECTION);
            assertServed();
        }
        assertNothingIsHeld();
    }

    @Test
    void aHundredConnectionsAreServedSideBySide() throws Exception {
        try (var threads = Executors.newFixedThreadPool(CONNECTIONS)) {
            var calls = new ArrayList<Callable<Integer>>();
            for (int i = 0; i < CONNECTIONS; i++) {
                calls.add(() -> {
                    int count = 0;
                    try (Cri cri = Cri.connect(NODE.server().socket())) {
                        for (; count < REQUESTS / CONNECTIONS / 5; count++) {
                            cri.runtime().version(VersionRequest.getDefaultInstance());
                        }
                    }
                    return count;
                });
            }
            int total = 0;
            for (Future<Integer> future : threads.invokeAll(calls)) {
                total += future.get();
            }
            assertThat(total).isEqualTo(REQUESTS / 5);
        }
        assertServed();
        assertNothingIsHeld();
    }

    @Test
    void streamingClientsThatNeverFinishTheirRequestAreCutOffAndHoldUpNobody() throws Exception {
        URI url = URI.create(execUrl());
        var open = new ArrayList<Socket>();
        for (int i = 0; i < 500; i++) {
            var socket = new Socket(url.getHost(), url.getPort());
            if (i % 2 == 0) {
                socket.getOutputStream().write(("POST " + url.getRawPath() + " HTTP/1.1\r\nX-Slow: ")
                        .getBytes(StandardCharsets.US_ASCII));
            }
            open.add(socket);
        }
        // One that always says a little more.
        Thread.startVirtualThread(() -> drip(open.getFirst()));
        assertStreams();
        Await.until("they are cut off", PATIENCE, () -> Footprint.descriptors(NODE.server().pid()),
                count -> count <= before.descriptors() + 2);
        for (Socket socket : open) {
            socket.close();
        }
        assertNothingIsHeld();
    }

    @Test
    void aRequestHeadWithoutEndIsRefused() throws Exception {
        URI url = URI.create(execUrl());
        try (var socket = new Socket(url.getHost(), url.getPort())) {
            byte[] header = ("X-Header: " + "x".repeat(4000) + "\r\n").getBytes(StandardCharsets.US_ASCII);
            socket.getOutputStream().write("GET / HTTP/1.1\r\n".getBytes(StandardCharsets.US_ASCII));
            String answer;
            try {
                for (int i = 0; i < 1000; i++) {
                    socket.getOutputStream().write(header);
                }
                answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
            } catch (IOException hungUp) {
                answer = String.valueOf(hungUp.getMessage());
            }
            assertThat(answer).containsPattern("HTTP/1.1 4\\d\\d|reset|pipe");
        }
        assertStreams();
        assertNothingIsHeld();
    }

    /** Begins requests of almost 16 MiB and completes none. */
    private static void flood(RawHttp2 bad, AtomicLong sent) {
        byte[] part = new byte[16 << 10];
        byte[] begin = ByteBuffer.allocate(5).put((byte) 0).putInt(15 * MEBIBYTE).array();
        try {
            var streams = new ArrayList<Integer>();
            Thread.startVirtualThread(bad::listen);
            for (int i = 0; i < 100; i++) {
                int stream = bad.call("RunPodSandbox");
                bad.data(stream, begin, false);
                streams.add(stream);
            }
            for (int ofEach = 0; ofEach < 14 * MEBIBYTE; ofEach += part.length) {
                for (int stream : streams) {
                    bad.data(stream, part, false);
                    sent.addAndGet(part.length);
                }
            }
        } catch (IOException e) {
            // The daemon has had enough of it, or the test has ended.
        }
    }

    private static void drip(Socket socket) {
        try {
            while (true) {
                socket.getOutputStream().write('x');
                Thread.sleep(100);
            }
        } catch (IOException | InterruptedException e) {
            // Cut off.
        }
    }

    private static <Q, A> ClientCall<Q, A> unread(Cri cri, MethodDescriptor<Q, A> method, Q request) {
        ClientCall<Q, A> call = cri.call(method, CallOptions.DEFAULT);
        call.start(new ClientCall.Listener<>() {
        }, new Metadata());
        call.sendMessage(request);
        call.halfClose();
        return call;
    }

    /** A good client's calls, each within its limit. */
    private static void assertServed() {
        try (Cri good = Cri.connect(NODE.server().socket())) {
            assertThat(good.runtime(LIMIT).version(VersionRequest.getDefaultInstance()).getRuntimeName())
                    .isEqualTo("berth");
            ListContainersResponse list = good.runtime(LIMIT)
                    .listContainers(ListContainersRequest.getDefaultInstance());
            assertThat(list.getContainersList()).anyMatch(one -> one.getId().equals(container.id()));
        }
        assertThat(container.exec(LIMIT.toSeconds(), "echo", "here").getStdout().toStringUtf8())
                .isEqualTo("here\n");
    }

    private static String execUrl() {
        return NODE.cri().runtime().exec(ExecRequest.newBuilder().setContainerId(container.id())
                .addCmd("echo").addCmd("streamed").setStdout(true).build()).getUrl();
    }

    private static void assertStreams() throws IOException {
        try (var client = StreamClient.connect("websocket", execUrl(), false)) {
            var data = client.read();
            assertThat(data).isNotNull();
            assertThat(data.text()).isEqualTo("streamed\n");
        }
    }

    /** The daemon is the same, and what it took for them it has given back. */
    private void assertNothingIsHeld() {
        long pid = NODE.server().pid();
        assertThat(ProcessHandle.of(pid).orElseThrow().isAlive()).isTrue();
        Footprint after = Await.until("everything is given back", PATIENCE, () -> Footprint.of(pid),
                now -> now.descriptors() <= before.descriptors() + 2
                        && now.virtualThreads() <= before.virtualThreads() + 1
                        && now.heapKib() < before.heapKib() + HEAP_GROWTH_KIB);
        assertThat(after.threads()).isLessThanOrEqualTo(before.threads() + CARRIERS);
    }
}
