package io.berth.linux;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * Files that only root reads, from their first moment on and whatever the umask: they hold the environment of containers, and
 * with it secrets, in directories that every user may traverse.
 */
public final class PrivateFile {
    private static final Set<PosixFilePermission> OWNER = PosixFilePermissions.fromString("rw-------");
    private static final FileAttribute<Set<PosixFilePermission>> OWNER_ONLY = PosixFilePermissions
            .asFileAttribute(OWNER);

    private PrivateFile() {}

    /**
     * Writes a new file.
     *
     * @throws IOException naming the file, also where a full disk is the cause
     */
    public static void write(Path file, byte[] content) throws IOException {
        try (SeekableByteChannel channel = Files.newByteChannel(file,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), OWNER_ONLY)) {
            ByteBuffer buffer = ByteBuffer.wrap(content);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
        } catch (IOException e) {
            // A write that fails does not say of which file.
            throw new IOException("write " + file + ": " + e.getMessage(), e);
        }
    }

    /** Makes an empty file where there is none, and takes an existing one from everybody else. */
    public static void ensure(Path file) throws IOException {
        if (Files.exists(file)) {
            Files.setPosixFilePermissions(file, OWNER);
        } else {
            Files.createFile(file, OWNER_ONLY);
        }
    }
}
