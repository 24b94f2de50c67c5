package io.berth.imagestore.store;

import static io.berth.imagestore.unpack.TarBuilder.directory;
import static io.berth.imagestore.unpack.TarBuilder.file;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.imagestore.Snapshots.MountOptions;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.ImageStoreConfig;
import io.berth.imagestore.RegistryAuth;
import io.berth.imagestore.Snapshots.Snapshot;
import io.berth.imagestore.unpack.TarBuilder;
import io.berth.linux.Fd;
import io.berth.linux.FileTree;
import io.berth.linux.IdMaps;
import io.berth.linux.Mounts;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.AnnotatedElementContext;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.io.TempDirFactory;

class OverlaySnapshotsTest {
    private static final String APP = "registry.example.com/app:1";

    @TempDir
    private Path folder;

    private final TestRegistry registry = new TestRegistry();
    private ImageStore store;
    private Path target;

    @BeforeEach
    void open() throws ImageException {
        store = ImageStore.open(new ImageStoreConfig(folder.resolve("im,ages"), null, 3, Set.of()), registry,
                new SimpleMeterRegistry());
        target = folder.resolve("rootfs");
    }

    @AfterEach
    void close() throws ImageException {
        store.snapshots().unmount(target);
        store.close();
    }

    @Test
    void aSnapshotShowsTheLayersMergedAndKeepsThemClean() throws Exception {
        mounted(false, new TarBuilder().add(file("a/one", "1")).add(file("a/two", "2")).add(file("gone", "x"))
                .add(file("opaque/old", "x")),
                new TarBuilder().add(file(".wh.gone", "")).add(file("a/two", "second"))
                        .add(file("opaque/.wh..wh..opq", "")).add(file("opaque/new", "x")));

        assertThat(target.resolve("a/one")).hasContent("1");
        assertThat(target.resolve("a/two")).hasContent("second");
        assertThat(target.resolve("gone")).doesNotExist();
        assertThat(target.resolve("opaque/old")).doesNotExist();
        assertThat(target.resolve("opaque/new")).exists();
        Files.writeString(target.resolve("a/one"), "changed");
        Files.delete(target.resolve("a/two"));
        Files.write(target.resolve("big"), new byte[1 << 20]);

        assertThat(store.snapshots().usage("c1").bytes()).isBetween(1L << 20, 2L << 20);
        store.snapshots().unmount(target);
        store.snapshots().unmount(target);
        store.snapshots().prepare("c2", store.list().getFirst().id());
        store.snapshots().mount("c2", target, false);
        assertThat(target.resolve("a/one")).hasContent("1");
        assertThat(target.resolve("a/two")).hasContent("second");
        assertThat(target.resolve("big")).doesNotExist();
    }

    @Test
    void impliedDirectoriesKeepWhatALowerLayerSays() throws Exception {
        mounted(false,
                new TarBuilder().add(directory("./").mode(0711)).add(directory("tmp").mode(01777).modified(5))
                        .add(directory("home").mode(0755))
                        .add(directory("home/user").mode(0700).owner(1000, 1000)),
                new TarBuilder().add(file("tmp/file", "x")).add(file("home/user/file", "x")),
                new TarBuilder().add(file("tmp/other", "x")));

        assertThat(Files.getAttribute(target.resolve("tmp"), "unix:mode")).isEqualTo(041777);
        assertThat(Files.getAttribute(target.resolve("home/user"), "unix:mode")).isEqualTo(040700);
        assertThat(Files.getAttribute(target.resolve("home/user"), "unix:uid")).isEqualTo(1000);
        assertThat(Files.getAttribute(target.resolve("home"), "unix:mode")).isEqualTo(040755);
        assertThat(Files.getAttribute(target, "unix:mode")).isEqualTo(040711);
        assertThat(target.resolve("tmp/file")).exists();
        assertThat(target.resolve("home/user/file")).exists();
    }

    /** The lock of all layers is held meanwhile. */
    @Test
    @Timeout(300)
    void directoriesDeepBelowEachOtherCostNoMoreThanBesideEachOther() throws Exception {
        String deep = "d/".repeat(400);
        mounted(false, new TarBuilder().add(directory("d").mode(0711)).add(directory("d/d/d").mode(0700)),
                new TarBuilder().add(file(deep + "first", "x")),
                new TarBuilder().add(file(deep + "second", "x")));

        assertThat(Files.getAttribute(target.resolve("d"), "unix:mode")).isEqualTo(040711);
        assertThat(Files.getAttribute(target.resolve("d/d"), "unix:mode")).isEqualTo(040755);
        assertThat(Files.getAttribute(target.resolve("d/d/d"), "unix:mode")).isEqualTo(040700);
        assertThat(target.resolve(deep + "first")).exists();
        assertThat(target.resolve(deep + "second")).exists();
    }

    /** As a cut of the power leaves it, where the row was flushed and the directory was not. */
    @Test
    void aRowWhoseDirectoryIsGoneKeepsItsName() throws Exception {
        registry.push(APP, TestRegistry.image("i", new TarBuilder().add(file("f", "x"))));
        String image = store.pull(APP, RegistryAuth.NONE).id();
        store.snapshots().prepare("lost", image);
        store.close();
        Path parent = folder.resolve("im,ages");
        try (Fd fd = Openat.open(RawPath.of(parent), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY)) {
            FileTree.delete(fd, RawPath.of("snapshots"));
        }
        open();

        store.snapshots().prepare("c1", image);
        store.snapshots().mount("c1", target, false);

        assertThat(target.resolve("f")).hasContent("x");
        store.snapshots().remove("lost");
        assertThat(target.resolve("f")).hasContent("x");
    }

    @Test
    void aReadOnlyMountRefusesToBeWritten() throws Exception {
        mounted(true, new TarBuilder().add(file("f", "x")));
        // Mounted there already is success.
        store.snapshots().mount("c1", target, true);

        assertThat(target.resolve("f")).hasContent("x");
        assertThatThrownBy(() -> Files.createFile(target.resolve("new")))
                .isInstanceOf(FileSystemException.class)
                .hasMessageContaining("Read-only");
        store.snapshots().unmount(target);
        assertThat(Mounts.isMountPoint(target)).isFalse();
    }

    @Test
    void fiveHundredLayersAreMountedByEitherWay() throws Exception {
        TarBuilder[] layers = new TarBuilder[500];
        for (int i = 0; i < layers.length; i++) {
            layers[i] = new TarBuilder().add(file("file" + i, "x")).add(file("last", Integer.toString(i)));
        }
        Snapshot snapshot = mounted(false, layers);
        assertWholeImage();

        store.snapshots().unmount(target);
        OverlayMount.mountByOptions(snapshot, store.root().resolve("layers"), target,
                new MountOptions(false, Optional.empty(), Optional.empty()));
        assertWholeImage();
    }

    /**
     * In memory, as it is the disk that decides how long a flush takes; and the quickest of many counts, since a machine that
     * builds beside it takes the processor away from most.
     */
    @Test
    void aSnapshotIsReadyAtOnceAndCopiesNothing(@TempDir(factory = InMemory.class) Path memory)
            throws Exception {
        store.close();
        folder = memory;
        open();
        Snapshot first = mounted(false, new TarBuilder().add(file("large", "x".repeat(4 << 20))));
        long[] nanos = new long[500];
        for (int i = 0; i < nanos.length; i++) {
            long start = System.nanoTime();
            store.snapshots().prepare("s" + i, first.imageId());
            nanos[i] = System.nanoTime() - start;
        }
        Arrays.sort(nanos);

        assertThat(Duration.ofNanos(nanos[0])).as("of " + Arrays.toString(nanos))
                .isLessThan(Duration.ofMillis(1));
        assertThat(store.snapshots().usage("s0").bytes()).isLessThan(64 << 10);
    }

    @Test
    void aSnapshotOfAUserNamespaceShowsTheOwnersOfTheImageInIt() throws Exception {
        TarBuilder[] layers = new TarBuilder[500];
        for (int i = 0; i < layers.length; i++) {
            layers[i] = new TarBuilder().add(file("file" + i, "x")).add(file("last", Integer.toString(i)));
        }
        layers[0].add(directory("./").mode(0711)).add(directory("home").mode(0700).owner(1000, 1000))
                .add(directory("beyond").owner(70_000, 0));
        layers[1].add(file("home/file", "x"));
        registry.push(APP, TestRegistry.image("i", layers));
        Image image = store.pull(APP, RegistryAuth.NONE);
        IdMaps maps = new IdMaps(List.of(new IdMaps.Range(0, 100_000, 65_536)),
                List.of(new IdMaps.Range(0, 200_000, 65_536)));
        store.snapshots().prepare("c1", image.id(), Optional.of(maps));
        Process owner = new ProcessBuilder("unshare", "--user", "cat").start();
        try (Fd namespace = userNamespace(owner, maps)) {
            store.snapshots().mount("c1", target,
                    new MountOptions(false, Optional.of(namespace), Optional.empty()));
        } finally {
            owner.destroyForcibly();
        }

        assertWholeImage(503);
        assertThat(owner(target)).isEqualTo("100000:200000");
        assertThat(owner(target.resolve("last"))).isEqualTo("100000:200000");
        assertThat(owner(target.resolve("home"))).isEqualTo("101000:201000");
        assertThat(owner(target.resolve("beyond"))).isEqualTo("65534:200000");
        assertThat(Mounts.list().stream().filter(mount -> mount.mountPoint().startsWith(target))).hasSize(1);
        Files.writeString(target.resolve("last"), "changed");
        assertThat(owner(store.snapshots().prepare("c1", image.id()).upper().resolve("last")))
                .isEqualTo("100000:200000");
    }

    private static String owner(Path path) throws IOException {
        return Files.getAttribute(path, "unix:uid") + ":" + Files.getAttribute(path, "unix:gid");
    }

    /** Of a process that echoes as soon as it has one. */
    private static Fd userNamespace(Process process, IdMaps maps) throws IOException {
        process.getOutputStream().write('\n');
        process.getOutputStream().flush();
        assertThat(process.getInputStream().read()).isEqualTo('\n');
        Path proc = Path.of("/proc", Long.toString(process.pid()));
        Files.writeString(proc.resolve("uid_map"), IdMaps.text(maps.users()), StandardOpenOption.WRITE);
        Files.writeString(proc.resolve("gid_map"), IdMaps.text(maps.groups()), StandardOpenOption.WRITE);
        return Openat.open(RawPath.of(proc.resolve("ns/user")), OpenFlags.O_RDONLY);
    }

    @Test
    void preparingAgainGivesTheSameSnapshotAndAnAbsentImageIsSaid() throws Exception {
        Snapshot first = mounted(false, new TarBuilder().add(file("f", "x")));

        assertThat(store.snapshots().prepare("c1", first.imageId())).isEqualTo(first);
        assertThatThrownBy(() -> store.snapshots().prepare("c2", "sha256:" + "0".repeat(64)))
                .isInstanceOfSatisfying(ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(Kind.NOT_FOUND));
        assertThatThrownBy(() -> store.snapshots().mount("c2", target, false))
                .hasMessageContaining("no snapshot c2");
        store.snapshots().remove("c2");
        assertThat(store.snapshots().usage("c2").bytes()).isZero();
    }

    private static final class InMemory implements TempDirFactory {
        @Override
        public Path createTempDirectory(AnnotatedElementContext element, ExtensionContext extension)
                throws IOException {
            return Files.createTempDirectory(Path.of("/dev/shm"), "berth-test");
        }
    }

    private void assertWholeImage() throws IOException {
        assertWholeImage(501);
    }

    private void assertWholeImage(int files) throws IOException {
        assertThat(target.resolve("last")).hasContent("499");
        try (var names = Files.list(target)) {
            assertThat(names.count()).isEqualTo(files);
        }
    }

    private Snapshot mounted(boolean readOnly, TarBuilder... layers) throws ImageException {
        registry.push(APP, TestRegistry.image("i", layers));
        Image image = store.pull(APP, RegistryAuth.NONE);
        Snapshot snapshot = store.snapshots().prepare("c1", image.id());
        store.snapshots().mount("c1", target, readOnly);
        return snapshot;
    }
}
