package io.berth.runtime.cli;

import io.berth.runtime.config.BerthConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** The images of this node, by whatever way is open. */
interface ImageAccess extends AutoCloseable {
    /**
     * Through the daemon where it runs, else into the store itself, which no daemon can open meanwhile.
     *
     * @throws IOException where neither way is open
     */
    static ImageAccess open(BerthConfig config) throws IOException {
        return DaemonClient.answers(config.socket())
                ? new DaemonImages(DaemonClient.connect(config.socket()))
                : StoredImages.open(config);
    }

    /** Imports what is at {@code path}, which is absolute. */
    List<ImageRow> importFrom(Path path) throws IOException;

    /** Every image, by name. */
    List<ImageRow> list() throws IOException;

    @Override
    void close() throws IOException;
}
