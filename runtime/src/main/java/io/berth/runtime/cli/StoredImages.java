package io.berth.runtime.cli;

import io.berth.imagestore.Image;
import io.berth.imagestore.store.ImageStore;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.daemon.DaemonException;
import io.berth.runtime.daemon.InstanceLock;
import io.berth.runtime.daemon.NodeImages;
import io.micrometer.core.instrument.Metrics;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;

/** The images on disk, while no daemon runs. */
record StoredImages(InstanceLock lock, ImageStore store) implements ImageAccess {
    static StoredImages open(BerthConfig config) throws IOException {
        InstanceLock lock;
        try {
            lock = InstanceLock.of(config.root());
        } catch (DaemonException e) {
            throw new DaemonException(
                    "no daemon answers at " + config.socket() + ", and its images cannot be opened: "
                            + e.getMessage() + "; or name the daemon's socket with --socket",
                    e);
        }
        try {
            return new StoredImages(lock,
                    NodeImages.open(config, Metrics.globalRegistry));
        } catch (IOException | RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    @Override
    public List<ImageRow> importFrom(Path path) throws IOException {
        return store.importFrom(path).stream().map(StoredImages::row).toList();
    }

    @Override
    public List<ImageRow> list() {
        return store.list().stream().map(StoredImages::row)
                .sorted(Comparator.comparing((ImageRow row) -> row.tags().toString())
                        .thenComparing(ImageRow::id))
                .toList();
    }

    private static ImageRow row(Image image) {
        return new ImageRow(image.id(), image.repoTags(), image.repoDigests(), image.sizeBytes(),
                image.pinned());
    }

    @Override
    public void close() {
        store.close();
        lock.close();
    }
}
