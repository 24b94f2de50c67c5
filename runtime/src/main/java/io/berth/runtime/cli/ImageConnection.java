package io.berth.runtime.cli;

import io.berth.admin.v1.AdminServiceGrpc;
import io.berth.admin.v1.AdminServiceGrpc.AdminServiceBlockingStub;
import io.berth.imagestore.store.ImageStore;
import io.berth.runtime.admin.AdminService;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.daemon.CriServer;
import io.berth.runtime.daemon.DaemonException;
import io.berth.runtime.daemon.InstanceLock;
import io.berth.runtime.daemon.NodeImages;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.micrometer.core.instrument.Metrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * The images of this node: through the daemon where it runs. Else their store is opened here, which no daemon can do meanwhile,
 * and served by the same service at a socket of this command's own; so there is one way to ask.
 */
final class ImageConnection implements AutoCloseable {
    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    private ImageConnection() {}

    /**
     * Connects.
     *
     * @throws IOException where there is no daemon and the store cannot be opened
     */
    static ImageConnection open(BerthConfig config) throws IOException {
        var connection = new ImageConnection();
        try {
            connection.connect(config);
            return connection;
        } catch (IOException | RuntimeException e) {
            connection.close();
            throw e;
        }
    }

    /** Something that is asked of the service. */
    @FunctionalInterface
    interface Question<T> {
        T ask(AdminServiceBlockingStub service) throws IOException;
    }

    /**
     * Asks, and puts a failure into words.
     *
     * @throws CommandFailure with the exit status that says which kind it was
     */
    <T> T ask(Question<T> question) throws IOException {
        if (!(open.peek() instanceof DaemonClient client)) {
            throw new IllegalStateException("the connection is closed");
        }
        try {
            return question.ask(AdminServiceGrpc.newBlockingStub(client.channel()));
        } catch (StatusRuntimeException e) {
            Status status = e.getStatus();
            String text = status.getDescription();
            String message = text == null ? "the daemon answered " + status.getCode() : text;
            if (status.getCode() == Status.Code.UNIMPLEMENTED) {
                message = "the daemon that runs is older than this command: " + message;
            }
            throw new CommandFailure(
                    status.getCode() == Status.Code.NOT_FOUND ? Berth.NOT_FOUND : Berth.FAILED, message, e);
        }
    }

    private void connect(BerthConfig config) throws IOException {
        if (DaemonClient.answers(config.socket())) {
            open.push(DaemonClient.connect(config.socket()));
            return;
        }
        try {
            open.push(InstanceLock.of(config.root()));
        } catch (DaemonException e) {
            throw new DaemonException(
                    "no daemon answers at " + config.socket() + ", and its images cannot be opened: "
                            + e.getMessage() + "; or name the daemon's socket with --socket",
                    e);
        }
        ImageStore store = NodeImages.open(config, Metrics.globalRegistry);
        open.push(store);
        Path directory = Files.createTempDirectory("berth");
        open.push(() -> Files.delete(directory));
        Path socket = directory.resolve("s");
        open.push(CriServer.start(socket, List.of(new AdminService(store, store)), List.of()));
        open.push(DaemonClient.connect(socket));
    }

    @Override
    public void close() throws IOException {
        while (!open.isEmpty()) {
            try {
                open.pop().close();
            } catch (IOException | RuntimeException e) {
                throw e;
            } catch (Exception e) {
                throw new IOException(e);
            }
        }
    }
}
