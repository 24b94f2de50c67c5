package io.berth.runtime.oci;

import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Reads an untrusted image's files as a process chrooted into it would: the kernel resolves absolute symbolic links and
 * {@code ..} inside the rootfs (openat2(2), RESOLVE_IN_ROOT).
 */
public final class RootfsFiles {
    private static final int MAX_BYTES = 8 << 20;

    private RootfsFiles() {}

    /**
     * The lines of a regular file; none where it is absent.
     *
     * @throws OciException INVALID for what is no regular file, a link loop, or a file over 8 MiB
     */
    static List<String> lines(Path rootfs, String path) throws OciException {
        // Without O_NONBLOCK the open of a FIFO would wait for a writer.
        try (Fd file = open(rootfs, path, OpenFlags.O_RDONLY | OpenFlags.O_NONBLOCK | OpenFlags.O_NOCTTY)) {
            Path opened = procPath(file);
            if (!Files.isRegularFile(opened) || Files.size(opened) > MAX_BYTES) {
                throw new OciException(OciException.Kind.INVALID, "the image's " + path
                        + " is not a regular file of at most 8 MiB; users cannot be looked up in it");
            }
            try (InputStream in = Files.newInputStream(opened)) {
                return new String(in.readNBytes(MAX_BYTES), StandardCharsets.UTF_8).lines().toList();
            }
        } catch (LinuxException e) {
            if (isAbsent(e)) {
                return List.of();
            }
            throw failure(path, e);
        } catch (OciException e) {
            throw e;
        } catch (IOException e) {
            throw new OciException(OciException.Kind.FAILED,
                    "read the image's " + path + ": " + e.getMessage(), e);
        }
    }

    /** The host's path of {@code path} inside {@code rootfs}, without links; empty where it does not exist. */
    public static Optional<Path> resolve(Path rootfs, String path) throws OciException {
        try (Fd file = open(rootfs, path, OpenFlags.O_PATH)) {
            return Optional.of(Files.readSymbolicLink(procPath(file)));
        } catch (LinuxException e) {
            if (isAbsent(e)) {
                return Optional.empty();
            }
            throw failure(path, e);
        } catch (IOException e) {
            throw new OciException(OciException.Kind.FAILED,
                    "resolve the image's " + path + ": " + e.getMessage(), e);
        }
    }

    private static Fd open(Path rootfs, String path, int flags) throws LinuxException {
        try (Fd root = Openat.open(RawPath.of(rootfs), OpenFlags.O_PATH | OpenFlags.O_DIRECTORY)) {
            return Openat.open(root, RawPath.of(path), flags, 0,
                    OpenFlags.RESOLVE_IN_ROOT | OpenFlags.RESOLVE_NO_MAGICLINKS);
        }
    }

    private static Path procPath(Fd file) {
        return Path.of("/proc/self/fd", Integer.toString(file.number()));
    }

    private static boolean isAbsent(LinuxException e) {
        return e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR;
    }

    private static OciException failure(String path, LinuxException e) {
        boolean image = e.errno() == Errno.ELOOP || e.errno() == Errno.ENAMETOOLONG;
        return new OciException(image ? OciException.Kind.INVALID : OciException.Kind.FAILED,
                "the image's " + path + " cannot be opened: " + e.getMessage(), e);
    }
}
