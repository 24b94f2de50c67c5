package io.berth.runtime.daemon;

import io.berth.runtime.config.ConfigLoader;
import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The file of a listening Unix socket. The server binds {@link #bindPath} first; {@link #publish} gives it its
 * permissions and then its name in one step, so that nobody ever finds it open to all or half made, and a stale socket
 * is replaced without a moment in which there is none.
 */
final class SocketFile implements AutoCloseable {
    private static final Set<PosixFilePermission> OWNER_AND_GROUP = PosixFilePermissions
            .fromString("rw-rw----");
    private static final int S_IFMT = 0170000;
    private static final int S_IFSOCK = 0140000;

    private final Path path;
    private final Path bindPath;
    private @Nullable Object published;

    private SocketFile(Path path) {
        this.path = path;
        this.bindPath = path.resolveSibling(path.getFileName() + ConfigLoader.NEW_SOCKET_SUFFIX);
    }

    /**
     * Makes the directory and makes sure that nobody listens at {@code path}.
     *
     * @throws DaemonException where somebody does, or something that is no socket is there
     */
    static SocketFile claim(Path path) throws DaemonException {
        try {
            Files.createDirectories(
                    Objects.requireNonNull(path.getParent(), "an absolute path has a parent"));
            if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                refuseIfInUse(path);
            }
            var file = new SocketFile(path);
            Files.deleteIfExists(file.bindPath);
            return file;
        } catch (DaemonException e) {
            throw e;
        } catch (IOException e) {
            throw new DaemonException("cannot make the socket " + path + ": " + e, e);
        }
    }

    private static void refuseIfInUse(Path path) throws IOException {
        int mode = (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
        if ((mode & S_IFMT) != S_IFSOCK) {
            throw new DaemonException(path + " is not a socket; remove it, or choose another with --socket");
        }
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(path));
        } catch (ConnectException | NoSuchFileException e) {
            return; // stale, or just gone
        } catch (IOException e) {
            if (String.valueOf(e.getMessage()).contains("Connection refused")) {
                return;
            }
            throw new DaemonException("cannot tell whether anybody listens at " + path + ": " + e.getMessage()
                    + "; remove it if not", e);
        }
        throw new DaemonException("another process listens at " + path
                + "; stop it, or choose another socket with --socket");
    }

    /** Where the server binds. */
    Path bindPath() {
        return bindPath;
    }

    /** Gives the bound socket its permissions (0660) and its name. */
    void publish() throws IOException {
        Files.setPosixFilePermissions(bindPath, OWNER_AND_GROUP);
        published = identity(bindPath);
        Files.move(bindPath, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** Removes the socket, unless another process has put its own there meanwhile. */
    @Override
    public void close() {
        try {
            Files.deleteIfExists(bindPath);
            if (published != null && published.equals(identity(path))) {
                Files.delete(path);
            }
        } catch (IOException e) {
            // The next start finds it stale and replaces it.
        }
    }

    private static Object identity(Path path) throws IOException {
        return Map.copyOf(Files.readAttributes(path, "unix:dev,ino", LinkOption.NOFOLLOW_LINKS));
    }
}
