package io.berth.imagestore.registry;

import static io.berth.imagestore.registry.FakeRegistry.blob;
import static io.berth.imagestore.registry.FakeRegistry.cut;
import static io.berth.imagestore.registry.FakeRegistry.manifest;
import static io.berth.imagestore.registry.FakeRegistry.status;
import static io.berth.imagestore.registry.TestOptions.client;
import static io.berth.imagestore.registry.TestOptions.fails;
import static org.assertj.core.api.Assertions.assertThat;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a pull does where registries and networks misbehave. */
class RegistryFaultTest {
    private static final TestImage IMAGE = TestImage.of("amd64", 2_000_000);
    private static final String LAYER = TestImage.digest(IMAGE.layer());
    private static final String LAYER_PATH = blob("app", LAYER);
    @TempDir
    private Path directory;
    private FakeRegistry registry;

    @BeforeEach
    void start() throws IOException {
        registry = new FakeRegistry().with("app", "1", IMAGE);
    }

    @AfterEach
    void stop() {
        registry.close();
    }

    @Test
    void aBlobIsResumedWhereTheConnectionBrokeAsOftenAsItMakesProgress() throws Exception {
        Random random = new Random(7);
        registry.answer(LAYER_PATH, cut(IMAGE.layer(), 100_000 + random.nextInt(100_000)));
        for (int i = 0; i < 8; i++) {
            int more = 70_000 + random.nextInt(100_000);
            registry.answer(LAYER_PATH, exchange -> {
                String range = String.valueOf(exchange.getRequestHeaders().getFirst("Range"));
                int start = Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
                exchange.getResponseHeaders().add("Content-Range",
                        "bytes " + start + "-" + (IMAGE.layer().length - 1) + "/" + IMAGE.layer().length);
                exchange.sendResponseHeaders(206, IMAGE.layer().length - start);
                exchange.getResponseBody().write(IMAGE.layer(), start, more);
                exchange.getResponseBody().flush();
                throw new IOException("cut here");
            });
        }
        assertThat(pullLayer()).isEqualTo(IMAGE.layer());
        assertThat(registry.asked().stream().filter(asked -> asked.path().equals(LAYER_PATH))).hasSize(10);
        assertThat(registry.asked().getLast().range()).isNotNull();
    }

    @Test
    void aServerThatIgnoresRangeIsReadOverFromTheStart() throws Exception {
        registry.answer(LAYER_PATH, cut(IMAGE.layer(), 1_234_567));
        registry.answer(LAYER_PATH, exchange -> {
            exchange.sendResponseHeaders(200, IMAGE.layer().length);
            exchange.getResponseBody().write(IMAGE.layer());
        });
        assertThat(pullLayer()).isEqualTo(IMAGE.layer());
    }

    @Test
    void aConnectionThatNeverGetsFurtherIsGivenUp() {
        for (int i = 0; i < 4; i++) {
            registry.answer(LAYER_PATH, cut(IMAGE.layer(), 0));
        }
        fails(this::pullLayer, Kind.UNAVAILABLE, "cannot download blob " + LAYER, registry.host() + " broke",
                "gave up after 4 attempts");
    }

    @Test
    void aServerThatSendsNothingIsTriedAgainAfterTheStallTimeout() throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        registry.answer(LAYER_PATH, exchange -> {
            exchange.sendResponseHeaders(200, IMAGE.layer().length);
            exchange.getResponseBody().write(IMAGE.layer(), 0, 500_000);
            exchange.getResponseBody().flush();
            await(done);
        });
        assertThat(pullLayer()).isEqualTo(IMAGE.layer());
        done.countDown();
    }

    @Test
    void theNextEndpointTakesOverABlobThatAMirrorBreaksOff() throws Exception {
        try (FakeRegistry mirror = new FakeRegistry().with("app", "1", IMAGE)) {
            mirror.answer(LAYER_PATH, cut(IMAGE.layer(), 700_000));
            for (int i = 0; i < 4; i++) {
                mirror.answer(LAYER_PATH, status(500));
            }
            Path conf = Files.writeString(directory.resolve("registries.conf"), """
                [[registry]]
                location = "%s"
                [[registry.mirror]]
                location = "%s"
                """.formatted(registry.host(), mirror.host()));
            try (Resolved image = client(conf, null).resolve(name(), RegistryAuth.NONE);
                    InputStream in = image.openBlob(image.layers().getFirst())) {
                assertThat(in.readAllBytes()).isEqualTo(IMAGE.layer());
            }
            assertThat(registry.asked()).singleElement()
                    .satisfies(asked -> assertThat(asked.range()).startsWith("bytes="));
        }
    }

    @Test
    void tooManyRequestsAndServerErrorsAreTriedAgainWhenTheServerWants() throws Exception {
        registry.answer(manifest("app", "1"), status(429, "Retry-After", "1")).answer(manifest("app", "1"),
                status(503)).answer(manifest("app", "1"), status(502));
        long start = System.nanoTime();
        client().resolve(name(), RegistryAuth.NONE).close();
        assertThat(System.nanoTime() - start).isGreaterThan(TimeUnit.SECONDS.toNanos(1));
    }

    @Test
    void aRegistryThatAsksToWaitTooLongIsNotWaitedFor() {
        registry.answer(manifest("app", "1"), status(429, "Retry-After", "3600"));
        fails(() -> client().resolve(name(), RegistryAuth.NONE), Kind.UNAVAILABLE,
                "answers 429 for manifest 1 of app", "it asks to wait 3600 s");
    }

    @Test
    void aRegistryThatStaysBrokenIsGivenUp() {
        for (int i = 0; i < 4; i++) {
            registry.answer(manifest("app", "1"),
                    FakeRegistry.json(503,
                            "{\"errors\":[{\"code\":\"UNAVAILABLE\",\"message\":\"db\\ndown\"}]}"));
        }
        fails(() -> client().resolve(name(), RegistryAuth.NONE), Kind.UNAVAILABLE,
                registry.host() + " answers 503 for manifest 1 of app (UNAVAILABLE db down)",
                "gave up after 4 attempts");
    }

    @Test
    void aManifestWithAnotherDigestIsRefused() {
        String digest = IMAGE.manifestDigest();
        registry.answer(manifest("app", digest), status(200)).answer(manifest("app", digest), status(200));
        fails(() -> client().resolve(registry.host() + "/app@" + digest, RegistryAuth.NONE), Kind.CORRUPT,
                "has digest sha256:e3b0c442", "expected " + digest);
        registry.answer(manifest("app", "1"), exchange -> {
            exchange.getResponseHeaders().add("Docker-Content-Digest", "sha256:" + "0".repeat(64));
            exchange.sendResponseHeaders(200, IMAGE.manifest().length);
            exchange.getResponseBody().write(IMAGE.manifest());
        });
        fails(() -> client().resolve(name(), RegistryAuth.NONE), Kind.CORRUPT, "expected sha256:0000");
    }

    @Test
    void aConfigWithAnotherDigestIsRefused() throws Exception {
        byte[] other = new String(IMAGE.config(), StandardCharsets.UTF_8).replace("amd64", "amd65")
                .getBytes(StandardCharsets.UTF_8);
        String path = blob("app", TestImage.digest(IMAGE.config()));
        registry.answer(path, exchange -> {
            exchange.sendResponseHeaders(200, other.length);
            exchange.getResponseBody().write(other);
        });
        try (Resolved image = client().resolve(name(), RegistryAuth.NONE)) {
            fails(image::readConfig, Kind.CORRUPT, "the config of " + name() + " has digest "
                    + TestImage.digest(other), "the manifest says " + TestImage.digest(IMAGE.config()));
        }
    }

    @Test
    void aBlobOfAnotherSizeThanTheManifestSaysIsRefused() {
        registry.answer(LAYER_PATH, exchange -> {
            exchange.sendResponseHeaders(200, 1000);
            exchange.getResponseBody().write(new byte[1000]);
        });
        fails(this::pullLayer, Kind.CORRUPT, "has 1000 bytes for blob " + LAYER,
                "the manifest says 2000000 bytes");
        registry.answer(LAYER_PATH, exchange -> {
            exchange.sendResponseHeaders(200, 0);
            exchange.getResponseBody().write(IMAGE.layer());
            exchange.getResponseBody().write(1);
            exchange.getResponseBody().close();
        });
        fails(this::pullLayer, Kind.CORRUPT, "has more for blob " + LAYER);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\'', value = {
            "UNSUPPORTED | Docker schema 1 | '{\"schemaVersion\":1,\"name\":\"app\",\"fsLayers\":[]}'",
            "CORRUPT     | it is not JSON  | '<html>login</html>'",
            "CORRUPT     | not a JSON object | '[]'",
            "CORRUPT     | an index and a manifest at once | '{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}'",
            "UNSUPPORTED | has media type text/plain | '{\"schemaVersion\":2,\"mediaType\":\"text/plain\"}'",
            "CORRUPT     | config: invalid digest | '{\"schemaVersion\":2,\"layers\":[]}'",
            "UNSUPPORTED | has no image for linux/amd64; it has nothing | '{\"schemaVersion\":2,\"manifests\":[]}'"})
    void whatIsNoImageIsRefusedAndSaysWhy(Kind kind, String text, String document) {
        registry.document("app", "odd", "", document.getBytes(StandardCharsets.UTF_8));
        fails(() -> client().resolve(registry.host() + "/app:odd", RegistryAuth.NONE), kind, text);
    }

    @Test
    void artifactsAndForeignLayersAreRefused() {
        String good = new String(IMAGE.manifest(), StandardCharsets.UTF_8);
        registry.document("app", "chart",
                good.replace("vnd.oci.image.config.v1+json", "vnd.cncf.helm.config.v1+json")
                        .getBytes(StandardCharsets.UTF_8));
        fails(() -> client().resolve(registry.host() + "/app:chart", RegistryAuth.NONE), Kind.UNSUPPORTED,
                "is an artifact of type application/vnd.cncf.helm.config.v1+json and not a container image");
        registry.document("app", "windows",
                good.replace("vnd.oci.image.layer.v1.tar\"",
                        "vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"urls\":[\"https://example.com/x\"]")
                        .getBytes(StandardCharsets.UTF_8));
        fails(() -> client().resolve(registry.host() + "/app:windows", RegistryAuth.NONE), Kind.UNSUPPORTED,
                "layer 0 (" + LAYER + ")", "is a foreign layer");
    }

    @Test
    void nestedIndexesAreFollowedButNotForEver() throws Exception {
        byte[] inner = TestImage.index(IMAGE.entry("{\"os\":\"linux\",\"architecture\":\"amd64\"}"));
        registry.document("app", "inner", inner);
        byte[] outer = nest(inner);
        registry.document("app", "outer", outer);
        try (Resolved image = client().resolve(registry.host() + "/app:outer", RegistryAuth.NONE)) {
            assertThat(image.digest()).isEqualTo(TestImage.digest(outer));
            assertThat(image.manifestDigest()).isEqualTo(IMAGE.manifestDigest());
        }
        byte[] deep = outer;
        for (int i = 0; i < 5; i++) {
            deep = nest(deep);
            registry.document("app", "deep", deep);
        }
        fails(() -> client().resolve(registry.host() + "/app:deep", RegistryAuth.NONE), Kind.UNSUPPORTED,
                "has no image for linux/amd64");
    }

    @Test
    void manifestsOfTooManyLayersAndIndexesOfTooManyNamelessEntriesAreRefused() {
        TestImage image = TestImage.of("amd64", 10);
        String layer = "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":10}"
                .formatted(TestImage.digest(image.layer()));
        registry.document("team/app", "many", """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
             "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},
             "layers":[%s]}""".formatted(TestImage.digest(image.config()), image.config().length,
                String.join(",", Collections.nCopies(501, layer))).getBytes(StandardCharsets.UTF_8));
        fails(() -> client().resolve(registry.host() + "/team/app:many", RegistryAuth.NONE), Kind.UNSUPPORTED,
                "has 501 layers; at most 500");

        byte[] artifact = "{\"schemaVersion\":2,\"mediaType\":\"application/x\"}"
                .getBytes(StandardCharsets.UTF_8);
        registry.document("team/app", "artifact", artifact);
        String entry = "{\"mediaType\":\"application/x\",\"digest\":\"%s\",\"size\":%d}"
                .formatted(TestImage.digest(artifact), artifact.length);
        registry.document("team/app", "nameless",
                TestImage.index(Collections.nCopies(100, entry).toArray(String[]::new)));
        fails(() -> client().resolve(registry.host() + "/team/app:nameless", RegistryAuth.NONE),
                Kind.UNSUPPORTED,
                "application/x");
        assertThat(registry.asked().stream().filter(each -> each.path().contains("sha256:"))).hasSize(32);
    }

    @Test
    void aResponseWithoutEndIsRefusedBeforeItFillsTheMemory() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 8, InetAddress.getLoopbackAddress())) {
            Thread.ofVirtual().start(() -> {
                while (true) {
                    try (Socket socket = server.accept()) {
                        socket.getOutputStream()
                                .write("HTTP/1.1 200 OK\r\nX: ".getBytes(StandardCharsets.US_ASCII));
                        for (int i = 0; i < 64; i++) {
                            socket.getOutputStream()
                                    .write("y".repeat(1 << 20).getBytes(StandardCharsets.US_ASCII));
                        }
                    } catch (IOException e) {
                        if (server.isClosed()) {
                            return;
                        }
                    }
                }
            });
            fails(() -> client().resolve("127.0.0.1:" + server.getLocalPort() + "/team/app:1",
                    RegistryAuth.NONE),
                    Kind.UNAVAILABLE, "127.0.0.1:" + server.getLocalPort());
        }
    }

    @Test
    void aDocumentNestedTooDeeplyIsRefused() {
        registry.document("team/app", "deep", "application/vnd.oci.image.manifest.v1+json",
                ("{\"a\":" + "[".repeat(5000) + "]".repeat(5000) + "}").getBytes(StandardCharsets.UTF_8));
        fails(() -> client().resolve(registry.host() + "/team/app:deep", RegistryAuth.NONE), Kind.CORRUPT,
                "beyond the limits");
    }

    /** Four megabytes of {@code {}} would be a tree of a hundred. */
    @Test
    void aDocumentOfTooManyValuesIsRefused() {
        registry.document("team/app", "many", "application/vnd.oci.image.manifest.v1+json",
                ("{\"a\":[" + "{},".repeat(300_000) + "{}]}").getBytes(StandardCharsets.UTF_8));
        fails(() -> client().resolve(registry.host() + "/team/app:many", RegistryAuth.NONE), Kind.CORRUPT,
                "beyond the limits");
    }

    @Test
    void aManifestBeyondFourMebibytesIsRefused() {
        registry.document("app", "big", ("{\"mediaType\":\"x\"" + " ".repeat(5 << 20) + "}")
                .getBytes(StandardCharsets.UTF_8));
        fails(() -> client().resolve(registry.host() + "/app:big", RegistryAuth.NONE), Kind.UNSUPPORTED,
                "manifest big at " + registry.host() + " is larger than 4194304 bytes");
    }

    @Test
    void anInterruptStopsAResolveAndARead() throws Exception {
        CountDownLatch reached = new CountDownLatch(1);
        CountDownLatch done = new CountDownLatch(1);
        registry.answer(manifest("app", "1"), _ -> {
            reached.countDown();
            await(done);
        });
        CompletableFuture<ImageException> result = new CompletableFuture<>();
        Thread pull = Thread.ofVirtual().start(() -> {
            try {
                client().resolve(name(), RegistryAuth.NONE).close();
                result.completeExceptionally(new AssertionError("not cancelled"));
            } catch (ImageException e) {
                result.complete(e);
            }
        });
        reached.await();
        pull.interrupt();
        assertThat(result.get(5, TimeUnit.SECONDS).kind()).isEqualTo(Kind.CANCELLED);
        done.countDown();
    }

    /** Layers are read on platform threads, which no interrupt wakes from a socket. */
    @Test
    void anInterruptStopsTheOpeningOfABlobThatDoesNotCome() throws Exception {
        CountDownLatch reached = new CountDownLatch(1);
        CountDownLatch done = new CountDownLatch(1);
        registry.answer(LAYER_PATH, _ -> {
            reached.countDown();
            await(done);
        });
        CompletableFuture<ImageException> result = new CompletableFuture<>();
        try (Resolved image = client().resolve(name(), RegistryAuth.NONE)) {
            Thread worker = Thread.ofPlatform().start(() -> {
                try {
                    image.openBlob(image.layers().getFirst()).close();
                    result.completeExceptionally(new AssertionError("not cancelled"));
                } catch (ImageException e) {
                    result.complete(e);
                } catch (IOException e) {
                    result.completeExceptionally(e);
                }
            });
            reached.await();
            worker.interrupt();
            assertThat(result.get(20, TimeUnit.SECONDS).kind()).isEqualTo(Kind.CANCELLED);
        } finally {
            done.countDown();
        }
    }

    @Test
    void closingTheImageStopsItsStreams() throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        registry.answer(LAYER_PATH, exchange -> {
            exchange.sendResponseHeaders(200, IMAGE.layer().length);
            exchange.getResponseBody().flush();
            await(done);
        });
        Resolved image = client().resolve(name(), RegistryAuth.NONE);
        InputStream in = image.openBlob(image.layers().getFirst());
        image.close();
        fails(in::read, Kind.CANCELLED, "cancelled while speaking to " + registry.host());
        done.countDown();
    }

    private byte[] pullLayer() throws IOException {
        try (Resolved image = client().resolve(name(), RegistryAuth.NONE);
                InputStream in = image.openBlob(image.layers().getFirst())) {
            return in.readAllBytes();
        }
    }

    private static byte[] nest(byte[] index) {
        return TestImage.index("""
            {"mediaType":"application/vnd.oci.image.index.v1+json","digest":"%s","size":%d}"""
                .formatted(TestImage.digest(index), index.length));
    }

    private String name() {
        return registry.host() + "/app:1";
    }

    private static void await(CountDownLatch latch) throws IOException {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        }
    }
}
