package io.berth.e2e.node;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A file system of its own, an ext4 unless said otherwise, in a sparse file, mounted in this mount namespace. What happens in it
 * depends on nothing that happened on the machine before: ext4 passes over inodes that were freed in the last minutes, and looks
 * at each of them for that.
 */
public final class FreshDisk implements AutoCloseable {
    private final Path file;
    private final Path mountPoint;

    /** @param bytes the most that it holds; it takes what is written */
    public FreshDisk(Path mountPoint, long bytes) {
        // Inode tables are holes already; making them in the background would disturb what is measured.
        this(mountPoint, bytes, List.of("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard"),
                "noinit_itable");
    }

    /** One of another kind: what {@code mkfs} makes, mounted with {@code options}. */
    FreshDisk(Path mountPoint, long bytes, List<String> mkfs, String options) {
        this.mountPoint = mountPoint;
        this.file = mountPoint.resolveSibling(mountPoint.getFileName() + ".disk");
        try {
            Files.createDirectories(mountPoint);
            try (var image = new RandomAccessFile(file.toFile(), "rw")) {
                image.setLength(bytes);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        var command = new ArrayList<>(mkfs);
        command.add(file.toString());
        Command.output(command.toArray(String[]::new));
        Command.output("mount", "-o", "loop," + options, file.toString(), mountPoint.toString());
    }

    /** What is behind it. */
    Path file() {
        return file;
    }

    @Override
    public void close() throws IOException {
        Command.output("umount", mountPoint.toString());
        Files.delete(file);
    }
}
