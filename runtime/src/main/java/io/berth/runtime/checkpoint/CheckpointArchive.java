package io.berth.runtime.checkpoint;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.unpack.LayerUnpacker;
import io.berth.imagestore.LayerLimits;
import io.berth.runtime.lifecycle.LifecycleException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** A checkpoint as one file: an uncompressed tar of a {@link CheckpointDirectory}. */
public final class CheckpointArchive {
    private CheckpointArchive() {}

    /**
     * Refuses a place where no archive can be written, before any process is disturbed.
     *
     * @throws LifecycleException INVALID where the path is not absolute, PRECONDITION where its directory is absent,
     *         ALREADY_EXISTS where something is there
     */
    public static Path checkLocation(String field, String location) throws LifecycleException {
        if (!location.startsWith("/") || location.endsWith("/")) {
            throw new LifecycleException(LifecycleException.Kind.INVALID,
                    field + " \"" + location + "\" is not the absolute path of a file");
        }
        Path file = Path.of(location).normalize();
        Path directory = file.getParent();
        if (directory == null || !Files.isDirectory(directory)) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION,
                    field + " \"" + location + "\" is in a directory that does not exist; make it first");
        }
        if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            throw alreadyExists(file);
        }
        return file;
    }

    /**
     * Writes the archive, for root only, and gives it its name when all of it is on disk. A reader never sees a part of it.
     *
     * @throws LifecycleException ALREADY_EXISTS where something has taken that name; nothing is overwritten
     */
    public static void write(CheckpointDirectory checkpoint, Path archive)
            throws LifecycleException, IOException {
        Path partial = archive
                .resolveSibling("." + archive.getFileName() + ".partial-" + ProcessHandle.current().pid()
                        + "-" + Thread.currentThread().threadId());
        try {
            try (FileChannel channel = FileChannel.open(partial,
                    Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
                TarWriter tar = new TarWriter(
                        new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 17) {
                            @Override
                            public void close() throws IOException {
                                flush();
                                channel.force(true);
                                super.close();
                            }
                        });
                try (tar) {
                    addAll(tar, checkpoint.path());
                }
            }
            // A link, unlike a rename, fails where the name is taken.
            Files.createLink(archive, partial);
        } catch (FileAlreadyExistsException e) {
            throw alreadyExists(archive);
        } finally {
            Files.deleteIfExists(partial);
        }
    }

    private static void addAll(TarWriter tar, Path directory) throws IOException {
        List<Path> paths;
        try (Stream<Path> walk = Files.walk(directory)) {
            paths = walk.skip(1).sorted().toList();
        }
        for (Path path : paths) {
            String name = directory.relativize(path).toString();
            long seconds = Files.getLastModifiedTime(path, LinkOption.NOFOLLOW_LINKS).toInstant()
                    .getEpochSecond();
            if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                tar.addDirectory(name, seconds);
            } else if (Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
                try (InputStream content = Files.newInputStream(path, LinkOption.NOFOLLOW_LINKS)) {
                    tar.add(name, Files.size(path), content, seconds);
                }
            }
        }
    }

    /**
     * Unpacks an archive, compressed or not, into a new directory.
     *
     * @throws LifecycleException NOT_FOUND where there is no such file, INVALID where it is not a tar
     */
    public static CheckpointDirectory unpack(Path archive, Path directory)
            throws LifecycleException, IOException {
        if (!Files.isRegularFile(archive)) {
            throw new LifecycleException(LifecycleException.Kind.NOT_FOUND,
                    "checkpoint archive " + archive + " is not a file on this node");
        }
        makePrivate(directory);
        try {
            new LayerUnpacker(LayerLimits.DEFAULT).unpackArchive(Files.newInputStream(archive), directory);
        } catch (ImageException e) {
            if (e.kind() == ImageException.Kind.CORRUPT) {
                throw new LifecycleException(LifecycleException.Kind.INVALID,
                        archive + " is no checkpoint archive: " + e.getMessage(), e);
            }
            throw e;
        }
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
        return new CheckpointDirectory(directory);
    }

    /** Copies the regular files of a checkpoint that lies open, as in an image; follows no link. */
    public static CheckpointDirectory copy(Path from, Path directory) throws IOException {
        makePrivate(directory);
        try (Stream<Path> walk = Files.walk(from)) {
            for (Path path : walk.skip(1).toList()) {
                Path target = directory.resolve(from.relativize(path).toString());
                if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                    Files.createDirectory(target);
                } else if (Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
                    Files.copy(path, target, LinkOption.NOFOLLOW_LINKS);
                }
            }
        }
        return new CheckpointDirectory(directory);
    }

    /** Makes {@code directory} and what is missing above it; only root sees what is in it. */
    public static void makePrivate(Path directory) throws IOException {
        Files.createDirectories(directory);
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
    }

    private static LifecycleException alreadyExists(Path file) {
        return new LifecycleException(LifecycleException.Kind.ALREADY_EXISTS,
                file + " exists already; Berth overwrites no checkpoint, remove it or name another place");
    }
}
