package io.berth.imagestore.archive;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.registry.Digest;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** The files of an image on disk. No link in it leads out of it: what it holds may have come from anywhere. */
final class LayoutDirectory implements AutoCloseable {
    private static final int MAX_DOCUMENT_BYTES = 8 << 20;
    private static final long CONTAINED = OpenFlags.RESOLVE_IN_ROOT | OpenFlags.RESOLVE_NO_MAGICLINKS;

    private final Path path;
    private final Fd root;

    LayoutDirectory(Path path) throws ImageException {
        this.path = path;
        try {
            this.root = Openat.open(RawPath.of(path), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY);
        } catch (LinuxException e) {
            throw new ImageException(e.errno() == Errno.ENOENT ? Kind.NOT_FOUND : Kind.INTERNAL,
                    "cannot open the image directory " + path + ": " + e.getMessage(), e);
        }
    }

    boolean has(String name) throws ImageException {
        try (Fd file = Openat.open(root, RawPath.of(name), OpenFlags.O_PATH, 0, CONTAINED)) {
            return file.number() >= 0;
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR) {
                return false;
            }
            throw failure(name, e);
        }
    }

    InputStream open(String name) throws ImageException {
        try (Fd file = Openat.open(root, RawPath.of(name), OpenFlags.O_RDONLY | OpenFlags.O_NONBLOCK, 0,
                CONTAINED)) {
            if (Openat.stat(file).type() != Openat.S_IFREG) {
                throw new ImageException(Kind.CORRUPT, path + ": " + name + " is no regular file");
            }
            return Files.newInputStream(Path.of("/proc/self/fd/" + file.number()));
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw failure(name, e);
        }
    }

    /** A JSON document, whole. */
    byte[] document(String name) throws ImageException {
        try (InputStream in = open(name)) {
            byte[] bytes = in.readNBytes(MAX_DOCUMENT_BYTES + 1);
            if (bytes.length > MAX_DOCUMENT_BYTES) {
                throw new ImageException(Kind.CORRUPT,
                        path + ": " + name + " is larger than " + MAX_DOCUMENT_BYTES + " bytes");
            }
            return bytes;
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw failure(name, e);
        }
    }

    /** A JSON document of the content store, verified. */
    byte[] document(Descriptor descriptor) throws ImageException {
        Digest digest = Digest.parse(descriptor.digest());
        byte[] bytes = document(blobPath(digest));
        if (!digest.matches(bytes)) {
            throw new ImageException(Kind.CORRUPT,
                    path + ": blob " + digest + " has other content: its digest is "
                            + Digest.of(digest.algorithm(), bytes));
        }
        return bytes;
    }

    static String blobPath(Digest digest) {
        return "blobs/" + digest.algorithm() + "/" + digest.hex();
    }

    Path path() {
        return path;
    }

    @Override
    public void close() {
        root.close();
    }

    private ImageException failure(String name, IOException e) {
        boolean absent = e instanceof LinuxException linux
                && (linux.errno() == Errno.ENOENT || linux.errno() == Errno.ENOTDIR);
        return absent
                ? new ImageException(Kind.CORRUPT,
                        path + " has no " + name + ", which its image needs; export it again", e)
                : new ImageException(Kind.INTERNAL, path + ": cannot read " + name + ": " + e.getMessage(),
                        e);
    }
}
