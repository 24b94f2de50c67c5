package io.berth.imagestore.store;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.metadata.Catalog;
import io.berth.imagestore.metadata.Layer;
import io.berth.imagestore.record.RecordFiles;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.FileIo;
import io.berth.linux.FileTree;
import io.berth.linux.Filesystem;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The store's place on disk: {@code layers/}, {@code records/} of them, {@code snapshots/}, and {@code ingest/} for what is
 * not committed yet. The names below are short, so that the options of an overlay mount with many layers stay short, too.
 */
final class StoreDirectory implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(StoreDirectory.class);
    private static final int RADIX = 36;
    private static final int READ_DIRECTORY = OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY;

    private final Path root;
    private final FileChannel lock;
    private final AtomicLong nextName = new AtomicLong(1);

    private StoreDirectory(Path root, FileChannel lock) {
        this.root = root;
        this.lock = lock;
    }

    /**
     * Makes {@code root} where it is absent, and locks it for this process.
     *
     * @throws ImageException IN_USE where another process has it
     */
    static StoreDirectory open(Path root) throws ImageException {
        Path absolute = root.toAbsolutePath().normalize();
        try {
            for (Path directory : new Path[]{absolute, absolute.resolve("layers"),
                    absolute.resolve("records"), absolute.resolve("snapshots"),
                    absolute.resolve("ingest"), absolute.resolve("empty")}) {
                Files.createDirectories(directory,
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            }
            return new StoreDirectory(absolute, lock(absolute));
        } catch (IOException e) {
            throw e instanceof ImageException image
                    ? image
                    : new ImageException(Kind.INTERNAL,
                            "the image store " + absolute + " cannot be used: " + e, e);
        }
    }

    Path root() {
        return root;
    }

    Path database() {
        return root.resolve("images.db");
    }

    Path layers() {
        return root.resolve("layers");
    }

    Path layer(String name) {
        return layers().resolve(name);
    }

    Path records() {
        return root.resolve("records");
    }

    /** Where the record of the layer {@code name} is. */
    RecordFiles record(String name) {
        return RecordFiles.in(records(), name);
    }

    Path snapshot(String name) {
        return root.resolve("snapshots").resolve(name);
    }

    /** A directory without anything, for images without layers. */
    Path empty() {
        return root.resolve("empty");
    }

    /** A name that nothing has had since the store was opened. */
    String newName() {
        return Long.toString(nextName.getAndIncrement(), RADIX);
    }

    /** A new directory for what is not committed yet. */
    Path newIngest(String name) throws ImageException {
        Path path = ingest().resolve(name);
        try {
            return Files.createDirectory(path);
        } catch (IOException e) {
            throw failure("cannot make " + path, e);
        }
    }

    private Path ingest() {
        return root.resolve("ingest");
    }

    private void moveIfThere(Path ingested, Path placed, boolean commit) throws ImageException {
        Path from = commit ? ingested : placed;
        Path to = commit ? placed : ingested;
        if (!Files.exists(from, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        try (Fd source = openDirectory(parentOf(from)); Fd target = openDirectory(parentOf(to))) {
            Openat.rename(source, RawPath.of(from.getFileName()), target, RawPath.of(to.getFileName()),
                    Openat.RENAME_NOREPLACE);
        } catch (LinuxException e) {
            throw failure("cannot move " + from + " to " + to, e);
        }
    }

    /** Waits until the names in {@code layers/} and {@code records/} are on disk. */
    void syncLayerNames() throws ImageException {
        for (Path path : new Path[]{layers(), records()}) {
            try (Fd directory = openDirectory(path)) {
                FileIo.sync(directory, path);
            } catch (LinuxException e) {
                throw failure("cannot write " + path + " to disk", e);
            }
        }
    }

    /**
     * Moves an ingested layer with its record to its place, or back.
     *
     * @param commit whether it goes to its place
     */
    void moveLayer(String name, boolean commit) throws ImageException {
        RecordFiles ingested = RecordFiles.in(ingest(), name);
        RecordFiles placed = record(name);
        moveIfThere(ingested.displaced(), placed.displaced(), commit);
        moveIfThere(ingested.record(), placed.record(), commit);
        moveIfThere(ingest().resolve(name), layer(name), commit);
    }

    /** Deletes the layer {@code name} with its record. */
    void deleteLayer(String name) {
        delete(layer(name));
        deleteRecord(name);
    }

    /** Deletes the record of the layer {@code name}. */
    void deleteRecord(String name) {
        delete(record(name).record());
        delete(record(name).displaced());
    }

    /** Deletes what was ingested as {@code name}, with its record. */
    void deleteIngest(String name) {
        RecordFiles files = RecordFiles.in(ingest(), name);
        delete(ingest().resolve(name));
        delete(files.record());
        delete(files.displaced());
    }

    /** Opens the file system for {@link #sync}: before anything is written, so that no write error goes unseen. */
    Fd openForSync() throws ImageException {
        try {
            return openDirectory(root);
        } catch (LinuxException e) {
            throw failure("cannot open " + root, e);
        }
    }

    /** Waits until all that was written is on disk. */
    void sync(Fd filesystem) throws ImageException {
        try {
            Filesystem.sync(filesystem, root);
        } catch (LinuxException e) {
            throw failure("cannot write layers to disk", e);
        }
    }

    /** Deletes {@code path} with all below it; what cannot be deleted now goes at the next start. */
    void delete(Path path) {
        try (Fd parent = openDirectory(parentOf(path))) {
            FileTree.delete(parent, RawPath.of(path.getFileName()));
        } catch (LinuxException e) {
            log.atWarn().addKeyValue("path", path).setCause(e)
                    .log("cannot delete; the next start of the daemon tries again");
        }
    }

    /** Deletes all that no row of {@code catalog} names, and goes on counting names after those that there are. */
    void sweep(Catalog catalog) throws ImageException {
        Set<String> layers = new HashSet<>();
        Set<String> recorded = new HashSet<>();
        for (Layer layer : catalog.layers().values()) {
            layers.add(layer.directory());
            if (layer.record() != null) {
                recorded.add(layer.directory());
            }
        }
        catalog.retired().forEach(layer -> layers.add(layer.directory()));
        Set<String> snapshots = new HashSet<>();
        catalog.snapshots().values().forEach(snapshot -> snapshots.add(snapshot.directory()));
        // Not those of the directories: a cut of the power may have left a row whose directory is gone.
        Stream.of(layers, snapshots).flatMap(Set::stream).mapToLong(name -> Long.parseLong(name, RADIX))
                .forEach(number -> nextName.accumulateAndGet(number + 1, Math::max));
        sweep(ingest(), Set.of());
        sweep(layers(), layers);
        sweep(records(), recorded);
        sweep(root.resolve("snapshots"), snapshots);
    }

    @Override
    public void close() {
        try {
            lock.close();
        } catch (IOException e) {
            // The kernel drops the lock with the process at the latest.
        }
    }

    private void sweep(Path directory, Set<String> owned) throws ImageException {
        try (Fd fd = openDirectory(directory)) {
            for (FileTree.Entry entry : FileTree.list(fd)) {
                String file = entry.name().toString();
                if (!owned.contains(RecordFiles.layerOf(file))) {
                    log.atInfo().addKeyValue("path", directory.resolve(file))
                            .log("deleting what an unfinished step left");
                    delete(directory.resolve(file));
                }
            }
        } catch (LinuxException e) {
            throw failure("cannot look through " + directory, e);
        }
    }

    private static Path parentOf(Path path) {
        return Objects.requireNonNull(path.getParent(), "no path of the store is a root");
    }

    private static Fd openDirectory(Path directory) throws LinuxException {
        return Openat.open(RawPath.of(directory), READ_DIRECTORY);
    }

    static ImageException failure(String what, IOException e) {
        boolean full = e instanceof LinuxException linux
                ? linux.errno() == Errno.ENOSPC || linux.errno() == Errno.EDQUOT
                : String.valueOf(e.getMessage()).contains("No space left")
                        || String.valueOf(e.getMessage()).contains("quota");
        return full
                ? new ImageException(Kind.NO_SPACE,
                        what + ": the file system of the image store is full; free some space or inodes, or enlarge it",
                        e)
                : new ImageException(Kind.INTERNAL, what + ": " + e.getMessage(), e);
    }

    private static FileChannel lock(Path root) throws IOException {
        Path file = root.resolve("lock");
        FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            if (channel.tryLock() != null) {
                return channel;
            }
        } catch (OverlappingFileLockException e) {
            // Held by another store of this process: the same answer.
        } catch (IOException e) {
            channel.close();
            throw e;
        }
        channel.close();
        throw new ImageException(Kind.IN_USE,
                "the image store " + root + " is in use by another process (lock " + file
                        + "); stop the other daemon, or give this one another root");
    }
}
