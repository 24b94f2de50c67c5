package io.berth.runtime.daemon;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;

/**
 * One process at a time owns a directory. The kernel drops the lock when the process ends, however it ends, so a lock
 * is never stale.
 */
public final class InstanceLock implements AutoCloseable {
    private static final String FILE = "berth.lock";

    private final FileChannel channel;

    private InstanceLock(FileChannel channel) {
        this.channel = channel;
    }

    /**
     * Locks {@code directory}, which is made (0711) if absent.
     *
     * @throws DaemonException where another process holds it, named by its pid, or the directory cannot be used
     */
    public static InstanceLock of(Path directory) throws DaemonException {
        Path file = directory.resolve(FILE);
        FileChannel channel = open(directory, file);
        try {
            @Nullable
            FileLock lock = channel.tryLock();
            if (lock != null) {
                writePid(channel);
                return new InstanceLock(channel);
            }
        } catch (OverlappingFileLockException e) {
            // This very process has it: the message is the same.
        } catch (IOException e) {
            close(channel);
            throw new DaemonException("cannot lock " + file + ": " + e.getMessage(), e);
        }
        String holder = readPid(channel);
        close(channel);
        throw new DaemonException(directory + " is in use by another berth (pid " + holder + ", by " + file
                + "); stop it, or choose another directory");
    }

    private static FileChannel open(Path directory, Path file) throws DaemonException {
        try {
            // Containers of other users traverse these directories to their rootfs, so x for all.
            Files.createDirectories(directory,
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
            return FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ,
                    StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw new DaemonException("cannot use the directory " + directory + ": " + e
                    + "; berth runs as root and needs a writable local directory", e);
        }
    }

    private static void writePid(FileChannel channel) throws IOException {
        channel.truncate(0);
        channel.write(
                ByteBuffer.wrap((ProcessHandle.current().pid() + "\n").getBytes(StandardCharsets.US_ASCII)),
                0);
    }

    private static String readPid(FileChannel channel) {
        ByteBuffer buffer = ByteBuffer.allocate(32);
        try {
            channel.read(buffer, 0);
        } catch (IOException e) {
            return "unknown";
        }
        String pid = new String(buffer.array(), 0, buffer.position(), StandardCharsets.US_ASCII).strip();
        return pid.isEmpty() ? "unknown" : pid;
    }

    private static void close(FileChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            // Only a lock was at stake, and it is not ours.
        }
    }

    @Override
    public void close() {
        close(channel);
    }
}
