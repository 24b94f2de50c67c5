package io.berth.imagestore.unpack;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.LayerLimits;
import io.berth.imagestore.record.RecordFiles;
import io.berth.imagestore.registry.Descriptor;
import io.berth.linux.Fd;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * Unpacks one layer in one pass with two threads: one reads the blob, hashes and decompresses it, the caller's writes files; the
 * tar is hashed by the one that has less to do. It takes about 3 MiB of memory (with zstd the archive's window more), however large the layer is, and
 * what its directories take ({@link KeptBytes}).
 */
public final class LayerUnpacker {
    private final LayerLimits limits;
    private final KeptBytes.Shared memory;

    public LayerUnpacker(LayerLimits limits) {
        this(limits, KeptBytes.Shared.ofHeap());
    }

    LayerUnpacker(LayerLimits limits, KeptBytes.Shared memory) {
        this.limits = limits;
        this.memory = memory;
    }

    /**
     * Unpacks {@code blob} into {@code directory}, an existing empty one, and records it in the files beside
     * ({@link RecordFiles#beside}). Nothing is synced; where it fails, what was written stays for the caller to delete. An
     * interrupt of the calling thread stops it.
     *
     * @param blob is closed
     * @param descriptor what the blob must be; its size and digest are verified
     * @throws ImageException CORRUPT (naming the entry), NO_SPACE, CANCELLED, or what the blob's stream throws
     */
    public UnpackedLayer unpack(InputStream blob, Descriptor descriptor, Path directory)
            throws ImageException {
        String what = "layer " + descriptor.digest();
        BlobInput input = new BlobInput(blob, descriptor);
        try (LayerRecorder recorder = LayerRecorder.into(RecordFiles.beside(directory))) {
            return unpack(input, what, descriptor.digest(), directory, recorder);
        } catch (IOException e) {
            closeQuietly(input);
            throw failure(what, null, e);
        }
    }

    /**
     * Unpacks a tar that nothing is known of, compressed or not, such as an image archive: as {@link #unpack}, without
     * verification and without a record.
     *
     * @param archive is closed
     */
    public void unpackArchive(InputStream archive, Path directory) throws ImageException {
        unpack(new BlobInput(archive), "the archive", "archive", directory, LayerRecorder.none());
    }

    private UnpackedLayer unpack(BlobInput input, String what, String digest, Path directory,
            LayerRecorder recorder) throws ImageException {
        Blocks blocks = new Blocks();
        MessageDigest hash = sha256();
        Thread reader = Thread.ofPlatform().daemon().name("unpack-" + shortened(digest))
                .unstarted(() -> send(input, blocks, hash));
        TarInput tarInput = new TarInput(blocks, hash, recorder, limits.bytes());
        TarReader tar = new TarReader(tarInput);
        reader.start();
        TarEntry current = null;
        try (Fd root = Openat.open(RawPath.of(directory), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY);
                KeptBytes kept = new KeptBytes(memory);
                LayerWriter writer = new LayerWriter(tar, root, recorder, kept)) {
            Openat.chmod(root, RawPath.of("."), 0755);
            while (true) {
                current = null;
                current = tar.next();
                if (current == null) {
                    break;
                }
                // A long name alone can make two thousand directories.
                if (tar.entries() + writer.directories().madeUnasked() > limits.entries()) {
                    throw new ImageException(Kind.CORRUPT,
                            "it has more than " + limits.entries()
                                    + " entries and directories, the limit for a layer (limits.layer_entries)");
                }
                if (current.sparse() != null && current.sparse().fileSize() > limits.bytes()) {
                    throw new ImageException(Kind.CORRUPT, "it is a file of " + current.sparse().fileSize()
                            + " bytes with its holes, more than " + limits.bytes()
                            + ", the limit for a layer (limits.layer_bytes)");
                }
                writer.write(current);
            }
            writer.finish();
            recorder.finish();
            return new UnpackedLayer(digest, "sha256:" + HexFormat.of().formatHex(hash.digest()),
                    tarInput.received(),
                    writer.diskBytes(), writer.inodes(),
                    new ArrayList<>(
                            writer.directories().implied().stream().map(TarPath::text).sorted().toList()),
                    writer.directories().isRootOpaque(), recorder.written());
        } catch (IOException e) {
            throw failure(what, current, e);
        } finally {
            stop(reader, input);
        }
    }

    private void send(BlobInput input, Blocks blocks, MessageDigest hash) {
        try (InputStream plain = Decompression.open(input);
                InputStream tar = new RatioGuard(plain, input, limits)) {
            // Inflating takes longer than writing files, everything else less: who has time hashes the tar.
            blocks.send(tar, plain instanceof Gunzip ? null : hash);
            input.verify();
            blocks.end(null);
        } catch (IOException | InterruptedException | RuntimeException | Error e) {
            blocks.end(e);
        }
    }

    /** Ends the reader before the caller frees what it reads from. */
    private static void stop(Thread reader, BlobInput blob) {
        reader.interrupt();
        closeQuietly(blob);
        boolean interrupted = false;
        while (reader.isAlive()) {
            try {
                reader.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static void closeQuietly(BlobInput blob) {
        try {
            blob.close();
        } catch (IOException e) {
            // What was needed of it has come, or the error that matters is already on its way.
        }
    }

    /** An error of a system call as what it means for a layer; {@code where} ends with a colon. */
    static ImageException failure(String where, IOException e) {
        return switch (e) {
            case ImageException image -> image;
            case LinuxException linux -> ofCall(where, linux);
            default -> new ImageException(Kind.INTERNAL, where + e.getMessage(), e);
        };
    }

    private static ImageException failure(String what, @Nullable TarEntry entry, IOException e) {
        String where = what + (entry == null ? "" : ", entry " + entry.path()) + ": ";
        return switch (e) {
            case ImageException image when String.valueOf(image.getMessage()).startsWith(what) -> image;
            case ImageException image -> new ImageException(image.kind(), where + image.getMessage(), image);
            case LinuxException linux -> ofCall(where, linux);
            default -> new ImageException(Kind.INTERNAL, where + e.getMessage(), e);
        };
    }

    private static ImageException ofCall(String where, LinuxException e) {
        return switch (e.errno()) {
            case ENOSPC, EDQUOT ->
                new ImageException(Kind.NO_SPACE, where + "the file system of the image store is full ("
                        + e.getMessage() + "); free some space or inodes, or enlarge it", e);
            case ENAMETOOLONG, ELOOP, ENOTDIR, EEXIST, EISDIR, EINVAL, ENOENT, EFBIG, ERANGE, E2BIG,
                    ENOTEMPTY ->
                new ImageException(Kind.CORRUPT,
                        where + "the archive asks for what cannot be (" + e.getMessage() + ")", e);
            default -> new ImageException(Kind.INTERNAL, where + e.getMessage(), e);
        };
    }

    private static String shortened(String digest) {
        String hex = digest.substring(digest.indexOf(':') + 1);
        return hex.substring(0, Math.min(hex.length(), 12));
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }
}
