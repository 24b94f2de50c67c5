package io.berth.runtime.cli;

import io.berth.runtime.config.BerthConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** The images of this node, by whatever way is open. */
interface ImageAccess extends AutoCloseable {
    /**
     * Through the daemon where it runs.
     *
     * @throws IOException where it does not
     */
    static ImageAccess open(BerthConfig config) throws IOException {
        if (!DaemonClient.answers(config.socket())) {
            throw new IOException("no daemon answers at " + config.socket()
                    + "; start it (berth daemon), or name its socket with --socket");
        }
        return new DaemonImages(DaemonClient.connect(config.socket()));
    }

    /** Imports what is at {@code path}, which is absolute. */
    List<ImageRow> importFrom(Path path) throws IOException;

    /** Every image, by name. */
    List<ImageRow> list() throws IOException;

    @Override
    void close() throws IOException;
}
