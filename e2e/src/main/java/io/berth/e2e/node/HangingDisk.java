package io.berth.e2e.node;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * An ext4 that can be made to hang, as a storage does that is reached over a network which is down: whoever writes to it waits
 * in the kernel until it is well again, and SIGKILL does not end that. Reads go on.
 */
public final class HangingDisk implements AutoCloseable {
    private static final int SIZE_BYTES = 256 << 20;

    private final Path directory;
    /** A run that is interrupted: with its mount namespace goes the last way to thaw the file system. */
    private final Thread atExit = new Thread(this::heal, "heal");
    private boolean hangs;

    private HangingDisk(Path directory) {
        this.directory = directory;
    }

    /** Mounts an empty one at {@code directory}, which is made. */
    public static HangingDisk mount(Path directory) {
        Path image = directory.resolveSibling(directory.getFileName() + ".img");
        try {
            Files.createDirectories(directory);
            try (var file = new RandomAccessFile(image.toFile(), "rw")) {
                file.setLength(SIZE_BYTES);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Command.output("mkfs.ext4", "-q", image.toString());
        Command.output("mount", "-o", "loop", image.toString(), directory.toString());
        var disk = new HangingDisk(directory);
        Runtime.getRuntime().addShutdownHook(disk.atExit);
        return disk;
    }

    /** From now on it hangs. */
    public synchronized void hang() {
        Command.output("fsfreeze", "--freeze", directory.toString());
        hangs = true;
    }

    /** It is well again, if it was not. */
    public synchronized void heal() {
        if (hangs) {
            Command.output("fsfreeze", "--unfreeze", directory.toString());
            hangs = false;
        }
    }

    @Override
    public void close() {
        heal();
        Runtime.getRuntime().removeShutdownHook(atExit);
        Command.output("umount", directory.toString());
    }
}
