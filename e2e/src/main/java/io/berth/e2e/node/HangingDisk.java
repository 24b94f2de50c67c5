package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/**
 * An ext4 that can be made to hang, as a storage does that is reached over a network which is down: whoever writes to it waits
 * in the kernel until it is well again, and SIGKILL does not end that. Reads go on.
 */
public final class HangingDisk implements AutoCloseable {
    private static final int SIZE_BYTES = 256 << 20;

    private final Path directory;
    private final FreshDisk disk;
    /** A run that is interrupted: with its mount namespace goes the last way to thaw the file system. */
    private final Thread atExit = new Thread(this::heal, "heal");
    private boolean hangs;

    private HangingDisk(Path directory) {
        this.directory = directory;
        disk = new FreshDisk(directory, SIZE_BYTES);
    }

    /** Mounts an empty one at {@code directory}, which is made. */
    public static HangingDisk mount(Path directory) {
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
        try {
            disk.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
