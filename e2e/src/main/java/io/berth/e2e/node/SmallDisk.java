package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A file system of a few megabytes, to be filled. */
public final class SmallDisk implements AutoCloseable {
    private final Path directory;

    private SmallDisk(Path directory) {
        this.directory = directory;
    }

    /** Mounts an empty one at {@code directory}, which is made. */
    public static SmallDisk mount(Path directory, int mebibytes) {
        try {
            Files.createDirectories(directory);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Command.output("mount", "-t", "tmpfs", "-o", "size=" + mebibytes + "m", "small",
                directory.toString());
        return new SmallDisk(directory);
    }

    public Path directory() {
        return directory;
    }

    /** Takes every byte that is free. */
    public void fill() {
        // It ends with an error: that is how it knows.
        Command.run(List.of("dd", "if=/dev/zero", "of=" + ballast(), "bs=4k", "oflag=append",
                "conv=notrunc"));
        try {
            if (Files.getFileStore(directory).getUsableSpace() != 0) {
                throw new IllegalStateException(directory + " is not full");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Gives back what {@link #fill} took. */
    public void free() {
        try {
            Files.deleteIfExists(ballast());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        Command.output("umount", directory.toString());
    }

    private Path ballast() {
        return directory.resolve("ballast");
    }
}
