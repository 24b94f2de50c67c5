package io.berth.e2e.node;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * An ext4 of its own, in a sparse file, mounted in this mount namespace. What happens in it depends on nothing that happened on
 * the machine before: ext4 passes over inodes that were freed in the last minutes, and looks at each of them for that.
 */
public final class FreshDisk implements AutoCloseable {
    private final Path file;
    private final Path mountPoint;

    /** @param bytes the most that it holds; it takes what is written */
    public FreshDisk(Path mountPoint, long bytes) {
        this.mountPoint = mountPoint;
        this.file = mountPoint.resolveSibling(mountPoint.getFileName() + ".ext4");
        try {
            Files.createDirectories(mountPoint);
            try (var image = new RandomAccessFile(file.toFile(), "rw")) {
                image.setLength(bytes);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        // Inode tables are holes already; making them in the background would disturb what is measured.
        Command.output("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard", file.toString());
        Command.output("mount", "-o", "loop,noinit_itable", file.toString(), mountPoint.toString());
    }

    @Override
    public void close() throws IOException {
        Command.output("umount", mountPoint.toString());
        Files.delete(file);
    }
}
