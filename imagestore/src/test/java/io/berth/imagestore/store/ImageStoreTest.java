package io.berth.imagestore.store;

import static io.berth.imagestore.unpack.TarBuilder.directory;
import static io.berth.imagestore.unpack.TarBuilder.file;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.ImageStoreConfig;
import io.berth.imagestore.RegistryAuth;
import io.berth.imagestore.store.TestRegistry.TestImage;
import io.berth.imagestore.unpack.TarBuilder;
import io.berth.linux.MountFlag;
import io.berth.linux.Mounts;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class ImageStoreTest {
    private static final String APP = "registry.example.com/app:1";

    private static final int PARALLEL_LAYERS = 3;

    @TempDir
    private Path folder;

    private final TestRegistry registry = new TestRegistry();
    private ImageStore store;

    @BeforeEach
    void open() throws ImageException {
        store = open(folder.resolve("images"));
    }

    @AfterEach
    void close() {
        store.close();
        assertThat(registry.open).as("sources left open").hasValue(0);
    }

    @Test
    void aPulledImageIsListedFoundAndOnDisk() throws Exception {
        TestImage pushed = TestRegistry.image("a", layer("one"), layer("two"));
        registry.push(APP, pushed);

        Image image = store.pull(APP, RegistryAuth.NONE);

        assertThat(image.id()).isEqualTo(pushed.id());
        assertThat(image.repoTags()).containsExactly(APP);
        assertThat(image.repoDigests())
                .containsExactly("registry.example.com/app@" + pushed.manifestDigest());
        assertThat(image.config().user()).isEqualTo("1:2");
        assertThat(image.config().volumes()).containsExactly("/data");
        assertThat(image.diffIds()).hasSize(2);
        assertThat(image.sizeBytes()).isEqualTo(pushed.manifest.length() + pushed.config.length()
                + pushed.layers.stream().mapToLong(layer -> layer.size()).sum());
        assertThat(store.list()).containsExactly(image);
        String hex = image.id().substring(7);
        for (String name : List.of(APP, image.id(), hex, hex.substring(0, 12), image.repoDigests().getFirst(),
                "registry.example.com/app:other@" + pushed.manifestDigest())) {
            assertThat(store.find(name)).as(name).contains(image);
        }
        assertThat(store.find("registry.example.com/app:2")).isEmpty();
        assertThat(store.find("..")).isEmpty();
        assertThat(store.usage().bytes()).isPositive();

        reopen();
        assertThat(store.list()).containsExactly(image);
    }

    @Test
    void anImageThatIsHereIsNotFetchedAgain() throws Exception {
        TestImage pushed = TestRegistry.image("a", layer("one"));
        registry.push(APP, pushed);
        registry.push("registry.example.com/other:1", pushed);
        store.pull(APP, RegistryAuth.NONE);
        Image again = store.pull("registry.example.com/other:1", RegistryAuth.NONE);

        assertThat(registry.opened).hasValue(1);
        assertThat(again.repoTags()).containsExactly(APP, "registry.example.com/other:1");
        assertThat(store.list()).containsExactly(again);
    }

    @Test
    void aTagThatMovesLeavesItsOldImageWithoutIt() throws Exception {
        registry.push(APP, TestRegistry.image("old", layer("one")));
        Image old = store.pull(APP, RegistryAuth.NONE);
        registry.push(APP, TestRegistry.image("new", layer("two")));
        Image current = store.pull(APP, RegistryAuth.NONE);

        assertThat(store.find(APP)).contains(current);
        assertThat(store.find(old.id()).orElseThrow().repoTags()).isEmpty();
        assertThat(store.find(old.id()).orElseThrow().repoDigests()).hasSize(1);
        reopen();
        assertThat(store.find(old.id()).orElseThrow().repoTags()).isEmpty();
        assertThat(store.find(APP)).contains(current);
    }

    @Test
    void removalFreesTheDiskButForSharedLayers() throws Exception {
        registry.push("example.com/a:1", TestRegistry.image("a", layer("base"), layer("a")));
        registry.push("example.com/b:1", TestRegistry.image("b", layer("base"), layer("b")));
        store.pull("example.com/a:1", RegistryAuth.NONE);
        store.pull("example.com/b:1", RegistryAuth.NONE);
        assertThat(registry.opened).hasValue(3);
        assertThat(names("layers")).hasSize(3);

        store.remove("example.com/a:1");
        assertThat(names("layers")).hasSize(2);
        assertThat(store.find("example.com/a:1")).isEmpty();
        store.remove("example.com/a:1");
        store.remove(store.find("example.com/b:1").orElseThrow().id());

        assertThat(names("layers")).isEmpty();
        assertThat(store.list()).isEmpty();
        assertThat(store.usage().bytes()).isZero();
    }

    @Test
    void anImageOfASnapshotKeepsItsLayersUntilTheSnapshotGoes() throws Exception {
        registry.push(APP, TestRegistry.image("a", layer("one")));
        Image image = store.pull(APP, RegistryAuth.NONE);
        store.snapshots().prepare("c1", image.id());
        store.remove(image.id());
        assertThat(store.list()).isEmpty();
        assertThat(names("layers")).hasSize(1);

        reopen();
        Path target = folder.resolve("rootfs");
        store.snapshots().mount("c1", target, false);
        assertThat(target.resolve("one")).exists();
        store.snapshots().unmount(target);
        store.snapshots().remove("c1");

        assertThat(names("layers")).isEmpty();
        assertThat(names("snapshots")).isEmpty();
    }

    @Test
    void concurrentPullsShareTheirLayers() throws Exception {
        registry.push("example.com/a:1", TestRegistry.image("a", layer("base"), layer("a")));
        registry.push("example.com/b:1", TestRegistry.image("b", layer("base"), layer("b")));
        CountDownLatch gate = new CountDownLatch(1);
        registry.tap = (blob, content) -> {
            awaitGate(gate);
            return new ByteArrayInputStream(content);
        };
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Image>> pulls = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                String reference = i % 2 == 0 ? "example.com/a:1" : "example.com/b:1";
                pulls.add(threads.submit((Callable<Image>) () -> store.pull(reference, RegistryAuth.NONE)));
            }
            gate.countDown();
            for (Future<Image> pull : pulls) {
                assertThat(pull.get().diffIds()).hasSize(2);
            }
        }

        assertThat(registry.opened).hasValue(3);
        assertThat(names("layers")).hasSize(3);
        assertThat(names("ingest")).isEmpty();
    }

    @Test
    @Timeout(60)
    void noMoreLayersThanAllowedAreFetchedAtOnceOverAllPulls() throws Exception {
        registry.push("example.com/a:1",
                TestRegistry.image("a", layer("a1"), layer("a2"), layer("a3"), layer("a4")));
        registry.push("example.com/b:1",
                TestRegistry.image("b", layer("b1"), layer("b2"), layer("b3"), layer("b4")));
        AtomicInteger fetching = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        CountDownLatch allowed = new CountDownLatch(PARALLEL_LAYERS);
        registry.tap = (blob, content) -> {
            most.accumulateAndGet(fetching.incrementAndGet(), Math::max);
            allowed.countDown();
            awaitGate(allowed);
            return new ByteArrayInputStream(content) {
                @Override
                public synchronized int read(byte[] bytes, int offset, int length) {
                    // Long enough for the others to come, were they let.
                    LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
                    return super.read(bytes, offset, length);
                }

                @Override
                public void close() {
                    fetching.decrementAndGet();
                }
            };
        };
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Future<Image> pull : threads.invokeAll(List.<Callable<Image>>of(
                    () -> store.pull("example.com/a:1", RegistryAuth.NONE),
                    () -> store.pull("example.com/b:1", RegistryAuth.NONE)))) {
                assertThat(pull.get().diffIds()).hasSize(4);
            }
        }

        assertThat(registry.opened).hasValue(8);
        assertThat(most).hasValue(PARALLEL_LAYERS);
        assertThat(fetching).hasValue(0);
    }

    @Test
    void aFailedPullLeavesNothing() throws Exception {
        registry.push(APP, TestRegistry.image("a", layer("one"), layer("two"), layer("three")));
        Map<String, byte[]> damaged = new ConcurrentHashMap<>();
        registry.tap = (blob, content) -> {
            byte[] served = content.clone();
            if (damaged.isEmpty()) {
                damaged.put(blob.digest(), served);
                served[served.length - 5] ^= 1;
            }
            return new ByteArrayInputStream(served);
        };

        assertThatThrownBy(() -> store.pull(APP, RegistryAuth.NONE))
                .isInstanceOfSatisfying(ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(Kind.CORRUPT))
                .hasMessageContaining(damaged.keySet().stream().findFirst().orElse("sha256"));
        assertNothingLeft();
        assertThat(store.pull(APP, RegistryAuth.NONE).diffIds()).hasSize(3);
    }

    /** The first layer never comes; that the second is damaged is known at once, and ends both. */
    @Test
    @Timeout(60)
    void aDamagedLayerEndsThePullWhileOthersAreStillToCome() throws Exception {
        TestImage image = TestRegistry.image("a", layer("one"), layer("two"));
        registry.push(APP, image);
        CountDownLatch started = new CountDownLatch(1);
        registry.tap = (blob, content) -> blob.equals(image.layers.getFirst())
                ? new GatedStream(content, started, new CountDownLatch(1))
                : new ByteArrayInputStream(content, 0, content.length / 2);

        assertThatThrownBy(() -> store.pull(APP, RegistryAuth.NONE))
                .isInstanceOfSatisfying(ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(Kind.CORRUPT))
                .hasMessageContaining(image.layers.getLast().digest());
        assertNothingLeft();
        assertThat(registry.open).hasValue(0);
    }

    @Test
    void aConfigWhoseDiffIdsAreWrongIsRefused() throws Exception {
        TestImage image = TestRegistry.image("a", layer("one"));
        TestImage other = TestRegistry.image("a", layer("two"));
        image.blobs.putAll(other.blobs);
        image.layers.set(0, other.layers.getFirst());
        registry.push(APP, image);

        assertThatThrownBy(() -> store.pull(APP, RegistryAuth.NONE))
                .hasMessageContaining("the image's config says");
        assertNothingLeft();
    }

    @Test
    void anInterruptCancelsAPullButNotWhatAnotherWantsToo() throws Exception {
        registry.push("example.com/a:1", TestRegistry.image("a", layer("base"), layer("a")));
        registry.push("example.com/b:1", TestRegistry.image("b", layer("base")));
        CountDownLatch gate = new CountDownLatch(1);
        CountDownLatch started = new CountDownLatch(2);
        registry.tap = (blob, content) -> new GatedStream(content, started, gate);
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread first = Thread.ofVirtual().start(() -> {
            try {
                store.pull("example.com/a:1", RegistryAuth.NONE);
            } catch (ImageException e) {
                thrown.set(e);
            }
        });
        started.await();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Image> second = threads
                    .submit((Callable<Image>) () -> store.pull("example.com/b:1", RegistryAuth.NONE));
            while (registry.open.get() < 2) {
                Thread.onSpinWait();
            }
            // The second has resolved its image; it holds the shared layer as soon as the lock lets it.
            store.list();
            waitUntilWaiting(second, first);
            first.interrupt();
            first.join();
            assertThat(thrown.get()).isInstanceOfSatisfying(ImageException.class,
                    e -> assertThat(e.kind()).isEqualTo(Kind.CANCELLED));
            gate.countDown();
            assertThat(second.get().diffIds()).hasSize(1);
        }

        assertThat(names("layers")).hasSize(1);
        assertThat(names("ingest")).isEmpty();
    }

    @Test
    void whatACrashLeftIsSweptAtTheNextStart() throws Exception {
        registry.push(APP, TestRegistry.image("a", layer("one")));
        Image image = store.pull(APP, RegistryAuth.NONE);
        store.snapshots().prepare("kept", image.id());
        Path root = store.root();
        store.close();
        Files.createDirectories(root.resolve("ingest/9/half"));
        Files.writeString(Files.createDirectories(root.resolve("layers/zz")).resolve("orphan"), "x");
        Files.createDirectories(root.resolve("snapshots/yy/upper"));
        store = open(root);

        assertThat(names("ingest")).isEmpty();
        assertThat(names("layers")).hasSize(1);
        assertThat(names("snapshots")).hasSize(1);
        assertThat(store.snapshots().keys()).containsExactly("kept");
        registry.push("example.com/b:1", TestRegistry.image("b", layer("two")));
        store.pull("example.com/b:1", RegistryAuth.NONE);
        assertThat(names("layers")).hasSize(2);
    }

    @Test
    void aFullDiskIsSaidAndNothingIsLeft() throws Exception {
        Path small = Files.createDirectory(folder.resolve("small"));
        Mounts.tmpfs(small, EnumSet.noneOf(MountFlag.class), "size=4m");
        try {
            byte[] random = new byte[3 << 20];
            new Random(1).nextBytes(random);
            registry.push("example.com/fits:1", TestRegistry.image("f", layer("little")));
            registry.push(APP,
                    TestRegistry.image("a", layer("one"), new TarBuilder().add(file("big", random)),
                            new TarBuilder().add(file("big2", random))));
            try (ImageStore tight = open(small.resolve("images"))) {
                Image fits = tight.pull("example.com/fits:1", RegistryAuth.NONE);

                assertThatThrownBy(() -> tight.pull(APP, RegistryAuth.NONE))
                        .isInstanceOfSatisfying(ImageException.class,
                                e -> assertThat(e.kind()).isEqualTo(Kind.NO_SPACE))
                        .hasMessageContaining("is full");
                assertThat(small.resolve("images/ingest")).isEmptyDirectory();
                assertThat(tight.list()).containsExactly(fits);
                tight.remove(fits.id());
                assertThat(small.resolve("images/layers")).isEmptyDirectory();
            }
        } finally {
            Mounts.unmount(small, true);
        }
    }

    @Test
    void oneProcessAtATimeHasTheStore() {
        assertThatThrownBy(() -> open(store.root())).isInstanceOfSatisfying(ImageException.class,
                e -> assertThat(e.kind()).isEqualTo(Kind.IN_USE))
                .hasMessageContaining("in use by another process");
    }

    @Test
    void pinnedImagesSayso() throws Exception {
        store.close();
        store = ImageStore.open(new ImageStoreConfig(folder.resolve("images"), null, 2, Set.of("busybox")),
                registry,
                new SimpleMeterRegistry());
        registry.push("busybox", TestRegistry.image("a", layer("one")));
        registry.push(APP, TestRegistry.image("b", layer("one")));

        assertThat(store.pull("docker.io/busybox:latest", RegistryAuth.NONE).pinned()).isTrue();
        assertThat(store.pull(APP, RegistryAuth.NONE).pinned()).isFalse();
        reopen();
        assertThat(store.find(APP).orElseThrow().pinned()).isFalse();
    }

    @Test
    void anImageWithoutLayersAndOneWithTheSameLayerTwiceAreMounted() throws Exception {
        registry.push("example.com/none:1", TestRegistry.image("n"));
        registry.push(APP, TestRegistry.image("t", layer("one"), layer("two"), layer("one")));
        Path target = folder.resolve("rootfs");
        for (String name : List.of("example.com/none:1", APP)) {
            Image image = store.pull(name, RegistryAuth.NONE);
            store.snapshots().prepare("c", image.id());
            store.snapshots().mount("c", target, false);
            Files.writeString(target.resolve("written"), "x");
            assertThat(target.resolve("two").toFile().exists()).isEqualTo(name.equals(APP));
            store.snapshots().unmount(target);
            store.snapshots().remove("c");
        }
    }

    private void assertNothingLeft() throws IOException {
        assertThat(store.list()).isEmpty();
        assertThat(names("ingest")).isEmpty();
        assertThat(names("layers")).isEmpty();
    }

    private static TarBuilder layer(String name) {
        return new TarBuilder().add(directory("dir")).add(file(name, name))
                .add(file("dir/" + name, name.repeat(10_000)));
    }

    private ImageStore open(Path root) throws ImageException {
        return ImageStore.open(new ImageStoreConfig(root, null, PARALLEL_LAYERS, Set.of()), registry,
                new SimpleMeterRegistry());
    }

    private void reopen() throws ImageException {
        Path root = store.root();
        store.close();
        store = open(root);
    }

    private List<String> names(String directory) throws IOException {
        try (var files = Files.list(store.root().resolve(directory))) {
            return files.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }

    private static void awaitGate(CountDownLatch gate) throws ImageException {
        try {
            gate.await();
        } catch (InterruptedException e) {
            throw new ImageException(Kind.CANCELLED, "interrupted", e);
        }
    }

    /** Until the second pull has its hold, which is all that it does before it waits for the layer. */
    private void waitUntilWaiting(Future<Image> second, Thread first) throws Exception {
        while (!second.isDone() && first.isAlive() && store.waitingForLayers() < 3) {
            Thread.onSpinWait();
        }
    }

    /** Serves nothing until its gate is open. */
    private static final class GatedStream extends InputStream {
        private final ByteArrayInputStream content;
        private final CountDownLatch started;
        private final CountDownLatch gate;

        GatedStream(byte[] content, CountDownLatch started, CountDownLatch gate) {
            this.content = new ByteArrayInputStream(content);
            this.started = started;
            this.gate = gate;
        }

        @Override
        public int read() throws IOException {
            return read(new byte[1], 0, 1);
        }

        @Override
        public int read(byte[] buffer, int offset, int length) throws IOException {
            started.countDown();
            awaitGate(gate);
            return content.read(buffer, offset, length);
        }
    }
}
