package io.berth.imagestore.unpack;

import static io.berth.imagestore.unpack.TarBuilder.directory;
import static io.berth.imagestore.unpack.TarBuilder.file;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.LayerLimits;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.registry.Digest;
import io.berth.linux.Fd;
import io.berth.linux.FileTree;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Archives made to fill the heap of whoever unpacks them. */
class LayerMemoryTest {
    /** What the daemon's threads have. */
    private static final long STACK_BYTES = 512 << 10;

    @TempDir
    Path folder;

    private Path layer = Path.of("");

    @BeforeEach
    void makeLayer() throws Exception {
        layer = Files.createDirectory(folder.resolve("layer"));
    }

    /** The tree may be too deep for whoever else would delete it. */
    @AfterEach
    void delete() throws Exception {
        try (Fd parent = Openat.open(RawPath.of(folder), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY)) {
            FileTree.delete(parent, RawPath.of("layer"));
        }
    }

    @Test
    void directoriesBeyondTheMemoryForThemAreRefused() {
        TarBuilder tar = new TarBuilder();
        for (int i = 0; i < 500; i++) {
            tar.add(directory("d" + i));
        }

        assertRefused(tar, memory(100_000), "need more than");
    }

    @Test
    void attributesOfDirectoriesCountAsTheyAreKeptToTheEnd() {
        TarBuilder tar = new TarBuilder();
        for (int i = 0; i < 40; i++) {
            tar.add(directory("d" + i).pax("SCHILY.xattr.user.a", "x".repeat(60_000)));
        }

        assertRefused(tar, memory(2_000_000), "need more than");
    }

    @Test
    void whiteoutsCountToo() {
        TarBuilder tar = new TarBuilder();
        for (int i = 0; i < 500; i++) {
            tar.add(file(".wh.f" + i, ""));
        }

        assertRefused(tar, memory(100_000), "need more than");
    }

    @Test
    void anExtendedHeaderOfTooManyRecordsIsRefused() {
        TarBuilder.Entry entry = file("f", "");
        for (int i = 0; i < 10_001; i++) {
            entry.pax("k" + i, "v");
        }

        assertRefused(new TarBuilder().add(entry), KeptBytes.Shared.ofHeap(), "more than 10000 records");
    }

    @Test
    void directoriesThatOnlyNamesAskForCountAsEntries() throws Exception {
        byte[] tar = new TarBuilder().add(file("a/".repeat(200) + "f", "")).add(file("g", "")).build();

        assertThatThrownBy(() -> new LayerUnpacker(new LayerLimits(100, 1 << 30, 1000))
                .unpack(new ByteArrayInputStream(tar), descriptor(tar), layer))
                .hasMessageContaining("more than 100 entries and directories");
    }

    @Test
    void theLongestNameOfAllIsMadeOnAThreadLikeTheDaemons() throws Exception {
        byte[] tar = new TarBuilder().add(file("a/".repeat(2046) + "f", "deep")).build();
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        Thread thread = new Thread(null, () -> {
            try {
                UnpackedLayer unpacked = new LayerUnpacker(LayerLimits.DEFAULT)
                        .unpack(new ByteArrayInputStream(tar), descriptor(tar), layer);
                assertThat(unpacked.impliedDirectories()).hasSize(2047);
            } catch (ImageException | Error e) {
                failure.set(e);
            }
        }, "small", STACK_BYTES);
        thread.start();
        thread.join();

        assertThat(failure.get()).isNull();
    }

    /** One layer at a time may take much; the others wait instead of filling the heap together. */
    @Test
    void aLayerThatNeedsMuchWaitsForAnotherThatDoes() throws Exception {
        TarBuilder tar = new TarBuilder();
        for (int i = 0; i < 100; i++) {
            tar.add(directory("d" + i));
        }
        byte[] bytes = tar.build();
        Semaphore large = new Semaphore(0);
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        Thread thread = Thread.ofPlatform().start(() -> {
            try {
                new LayerUnpacker(LayerLimits.DEFAULT, new KeptBytes.Shared(large, 10_000, 100_000))
                        .unpack(new ByteArrayInputStream(bytes), descriptor(bytes), layer);
            } catch (ImageException e) {
                failure.set(e);
            }
        });
        while (!large.hasQueuedThreads() && thread.isAlive()) {
            Thread.sleep(5);
        }
        assertThat(thread.isAlive()).as("it waits").isTrue();
        large.release();
        thread.join();

        assertThat(failure.get()).isNull();
        assertThat(large.availablePermits()).as("given back").isEqualTo(1);
    }

    private void assertRefused(TarBuilder tar, KeptBytes.Shared memory, String message) {
        byte[] bytes = tar.build();
        assertThatThrownBy(() -> new LayerUnpacker(LayerLimits.DEFAULT, memory)
                .unpack(new ByteArrayInputStream(bytes), descriptor(bytes), layer))
                .isInstanceOfSatisfying(ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(Kind.CORRUPT))
                .hasMessageContaining(message);
        assertThat(memory.large().availablePermits()).isEqualTo(1);
    }

    private static KeptBytes.Shared memory(long mostBytes) {
        return new KeptBytes.Shared(new Semaphore(1), 0, mostBytes);
    }

    private static Descriptor descriptor(byte[] blob) {
        return new Descriptor("", Digest.of("sha256", blob).toString(), blob.length, List.of(), Map.of());
    }
}
