package io.berth.imagestore.archive;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.Objects;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/** Where an export's files go: one tar, or a directory. It has its name only when it is whole. */
abstract sealed class ExportSink implements AutoCloseable {
    private static final int BUFFER_BYTES = 256 << 10;

    /** Writes the content of one file. */
    @FunctionalInterface
    interface Content {
        void writeTo(OutputStream out) throws IOException;
    }

    private final Path target;
    private final Path partial;

    private ExportSink(Path target) throws ImageException {
        this.target = target;
        this.partial = target.resolveSibling(target.getFileName() + ".partial");
    }

    /** A tar at {@code target}; what is there is replaced in the end. */
    static ExportSink tar(Path target) throws IOException {
        return new Tar(target);
    }

    /** A directory at {@code target}, which must be absent or empty. */
    static ExportSink directory(Path target) throws IOException {
        return new Directory(target);
    }

    /** Adds one file of {@code size} bytes. Names come once each. */
    abstract void file(String name, long size, Content content) throws IOException;

    void file(String name, byte[] content) throws IOException {
        file(name, content.length, out -> out.write(content));
    }

    /** Waits until all is on disk, and gives it its name. */
    void finish() throws IOException {
        Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        Path parent = Objects.requireNonNull(target.getParent(), "is absolute");
        try (FileChannel names = FileChannel.open(parent, StandardOpenOption.READ)) {
            names.force(true);
        }
    }

    /** Deletes what has not been finished. */
    @Override
    public void close() throws IOException {
        deleteTree(partial);
    }

    Path target() {
        return target;
    }

    Path partial() {
        return partial;
    }

    private static void deleteTree(Path path) throws IOException {
        if (!Files.exists(path)) {
            return;
        }
        try (Stream<Path> all = Files.walk(path)) {
            for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(each);
            }
        }
    }

    /** Nothing in it depends on when and where it is written. */
    private static final class Tar extends ExportSink {
        private static final int FILE_MODE = 0100644;

        private final FileOutputStream file;
        private final TarArchiveOutputStream tar;

        Tar(Path target) throws IOException {
            super(target);
            file = new FileOutputStream(partial().toFile());
            tar = new TarArchiveOutputStream(new BufferedOutputStream(file, BUFFER_BYTES));
            tar.setBigNumberMode(TarArchiveOutputStream.BIGNUMBER_POSIX);
        }

        @Override
        void file(String name, long size, Content content) throws IOException {
            TarArchiveEntry entry = new TarArchiveEntry(name);
            entry.setSize(size);
            entry.setMode(FILE_MODE);
            entry.setModTime(0);
            entry.setIds(0, 0);
            entry.setNames("", "");
            tar.putArchiveEntry(entry);
            content.writeTo(tar);
            tar.closeArchiveEntry();
        }

        @Override
        void finish() throws IOException {
            // Its blocks are complete only then.
            tar.close();
            try (FileChannel whole = FileChannel.open(partial(), StandardOpenOption.WRITE)) {
                whole.force(true);
            }
            super.finish();
        }

        @Override
        public void close() throws IOException {
            file.close();
            super.close();
        }
    }

    private static final class Directory extends ExportSink {
        Directory(Path target) throws IOException {
            super(target);
            if (Files.exists(target)) {
                try (Stream<Path> children = Files.list(target)) {
                    if (children.findAny().isPresent()) {
                        throw new ImageException(Kind.INVALID, target
                                + " is there and not empty; name a directory that is not there yet");
                    }
                }
            }
            close();
            Files.createDirectory(partial());
        }

        @Override
        void file(String name, long size, Content content) throws IOException {
            Path path = partial().resolve(name);
            Files.createDirectories(Objects.requireNonNull(path.getParent(), "is below the directory"));
            try (FileOutputStream file = new FileOutputStream(path.toFile());
                    OutputStream out = new BufferedOutputStream(file, BUFFER_BYTES)) {
                content.writeTo(out);
                out.flush();
                file.getChannel().force(true);
            }
        }
    }
}
