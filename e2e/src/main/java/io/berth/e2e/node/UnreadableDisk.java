package io.berth.e2e.node;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * A disk that can lose files: reading them fails with EIO, as where a disk has bad sectors. It is a btrfs, which compares what
 * it reads with checksums, in a file where somebody has changed the blocks behind its back.
 */
public final class UnreadableDisk implements AutoCloseable {
    private static final int SIZE_BYTES = 160 << 20;
    private static final int BLOCK_BYTES = 4096;
    private static final int BUFFER_BYTES = 1 << 20;
    private static final byte[] EMPTY = new byte[BUFFER_BYTES];

    private final Path mountPoint;
    private final FreshDisk disk;

    private UnreadableDisk(Path mountPoint) {
        this.mountPoint = mountPoint;
        // Small files in blocks of their own, too: those in the tree would take it along.
        this.disk = new FreshDisk(mountPoint, SIZE_BYTES, List.of("mkfs.btrfs", "-q", "--data", "single"),
                "max_inline=0,nodiscard");
    }

    /** Mounts an empty one at {@code mountPoint}, which is made. */
    public static UnreadableDisk mount(Path mountPoint) {
        return new UnreadableDisk(mountPoint);
    }

    /** From now on, no byte of {@code file} can be read, unless somebody has it mapped. What is written anew can be. */
    public void lose(Path file) {
        Command.output("sync", "-f", mountPoint.toString());
        try {
            if (changeBlocks(blocks(file)) == 0) {
                throw new AssertionError("no block of " + file + " was found on its disk");
            }
            // Out of memory with it.
            Command.output("dd", "if=" + file, "iflag=nocache", "count=0", "status=none");
            if (Command.run(List.of("dd", "if=" + file, "of=/dev/null")).exitCode() == 0) {
                throw new AssertionError(file + " can be read still");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What {@code file} has on the disk, but for empty blocks, which others have, too. */
    private static Set<ByteBuffer> blocks(Path file) throws IOException {
        byte[] content = Files.readAllBytes(file);
        Set<ByteBuffer> blocks = new HashSet<>();
        for (int at = 0; at < content.length; at += BLOCK_BYTES) {
            blocks.add(ByteBuffer.wrap(Arrays.copyOfRange(content, at, at + BLOCK_BYTES)));
        }
        blocks.remove(ByteBuffer.allocate(BLOCK_BYTES));
        return blocks;
    }

    private int changeBlocks(Set<ByteBuffer> wanted) throws IOException {
        int changed = 0;
        byte[] buffer = new byte[BUFFER_BYTES];
        try (var file = new RandomAccessFile(disk.file().toFile(), "rw")) {
            for (long offset = 0; offset < SIZE_BYTES; offset += BUFFER_BYTES) {
                file.seek(offset);
                file.readFully(buffer);
                if (Arrays.equals(buffer, EMPTY)) {
                    continue;
                }
                for (int at = 0; at < BUFFER_BYTES; at += BLOCK_BYTES) {
                    if (wanted.contains(ByteBuffer.wrap(buffer, at, BLOCK_BYTES))) {
                        file.seek(offset + at);
                        file.writeByte(~buffer[at]);
                        changed++;
                    }
                }
            }
        }
        return changed;
    }

    @Override
    public void close() {
        try {
            disk.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
