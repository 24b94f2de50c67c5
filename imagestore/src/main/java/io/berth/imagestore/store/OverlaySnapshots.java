package io.berth.imagestore.store;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.Images;
import io.berth.imagestore.Snapshots;
import io.berth.imagestore.metadata.Catalog;
import io.berth.imagestore.metadata.DirectoryAttributes;
import io.berth.imagestore.metadata.Metadata;
import io.berth.imagestore.metadata.StoredImage;
import io.berth.imagestore.metadata.StoredSnapshot;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.FileTimes;
import io.berth.linux.FileTree;
import io.berth.linux.IdMaps;
import io.berth.linux.LinuxException;
import io.berth.linux.Mounts;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Snapshots on overlayfs: two empty directories each, and a row. */
final class OverlaySnapshots implements Snapshots {
    private static final Logger log = LoggerFactory.getLogger(OverlaySnapshots.class);
    private static final IdMaps.Range EVERY_ID = new IdMaps.Range(0, 0, 0xffff_ffffL);
    private static final IdMaps OWN_IDS = new IdMaps(List.of(EVERY_ID), List.of(EVERY_ID));

    private final Metadata metadata;
    private final Layers layers;
    private final StoreDirectory directory;

    OverlaySnapshots(Metadata metadata, Layers layers, StoreDirectory directory) {
        this.metadata = metadata;
        this.layers = layers;
        this.directory = directory;
    }

    @Override
    public Snapshot prepare(String key, String imageId, Optional<IdMaps> owners) throws ImageException {
        return layers.locked(catalog -> {
            StoredSnapshot there = catalog.snapshots().get(key);
            if (there != null) {
                return snapshot(catalog, there);
            }
            StoredImage stored = catalog.images().get(imageId);
            if (stored == null) {
                throw new ImageException(Kind.NOT_FOUND,
                        "snapshot " + key + ": image " + imageId + " is not on this node; pull it first");
            }
            StoredSnapshot made = new StoredSnapshot(key, imageId, directory.newName(),
                    stored.image().diffIds());
            Path path = directory.snapshot(made.directory());
            try {
                makeDirectories(path, stored.directories(), owners.orElse(OWN_IDS));
                metadata.putSnapshot(made);
            } catch (IOException e) {
                directory.delete(path);
                throw e instanceof ImageException image
                        ? image
                        : StoreDirectory.failure("cannot make snapshot " + key, e);
            }
            return snapshot(metadata.catalog(), made);
        });
    }

    @Override
    public void mount(String key, Path target, MountOptions options) throws ImageException {
        Catalog catalog = metadata.catalog();
        StoredSnapshot stored = catalog.snapshots().get(key);
        if (stored == null) {
            throw new ImageException(Kind.NOT_FOUND,
                    "there is no snapshot " + key + " to mount at " + target);
        }
        try {
            Files.createDirectories(target);
            if (!Mounts.isMountPoint(target)) {
                OverlayMount.mount(snapshot(catalog, stored), directory.layers(), target, options);
            }
        } catch (IOException e) {
            throw StoreDirectory.failure("cannot mount snapshot " + key + " at " + target, e);
        }
    }

    @Override
    public void unmount(Path target) throws ImageException {
        try {
            Mounts.unmountAll(target);
        } catch (LinuxException e) {
            throw StoreDirectory.failure("cannot unmount " + target, e);
        }
    }

    @Override
    public void remove(String key) throws ImageException {
        StoredSnapshot stored = metadata.catalog().snapshots().get(key);
        if (stored == null) {
            return;
        }
        metadata.removeSnapshot(key);
        directory.delete(directory.snapshot(stored.directory()));
        layers.collect();
    }

    @Override
    public List<String> keys() {
        return List.copyOf(metadata.catalog().snapshots().keySet());
    }

    @Override
    public Images.Usage usage(String key) {
        StoredSnapshot stored = metadata.catalog().snapshots().get(key);
        if (stored == null) {
            return new Images.Usage(0, 0);
        }
        Path upper = directory.snapshot(stored.directory()).resolve("upper");
        try {
            FileTree.Size size = FileTree.measure(RawPath.of(upper));
            return new Images.Usage(size.bytes(), size.inodes());
        } catch (LinuxException e) {
            if (e.errno() != Errno.ENOENT) {
                log.atWarn().addKeyValue("snapshot", key).setCause(e)
                        .log("cannot measure the writable layer");
            }
            return new Images.Usage(0, 0);
        }
    }

    private Snapshot snapshot(Catalog catalog, StoredSnapshot stored) {
        Path path = directory.snapshot(stored.directory());
        List<Path> lower = layers.lower(catalog, stored.diffIds());
        return new Snapshot(stored.key(), stored.imageId(),
                lower.isEmpty() ? List.of(directory.empty()) : lower,
                path.resolve("upper"), path.resolve("work"));
    }

    /** The writable layer is no id-mapped mount: owners in it are those outside of the container's user namespace. */
    private static void makeDirectories(Path path, List<DirectoryAttributes> described, IdMaps owners)
            throws IOException {
        Files.createDirectory(path);
        Files.createDirectory(path.resolve("work"));
        Files.createDirectory(path.resolve("upper"));
        try (Fd upper = Openat.open(RawPath.of(path.resolve("upper")),
                OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY)) {
            Openat.chown(upper, RawPath.of("."), owners.user(0), owners.group(0));
            Openat.chmod(upper, RawPath.of("."), 0755);
            for (DirectoryAttributes attributes : described) {
                RawPath name = EffectiveDirectories.raw(attributes.path());
                if (!attributes.path().isEmpty()) {
                    Openat.mkdir(upper, name, 0700);
                }
                Openat.chown(upper, name, owners.user(attributes.uid()), owners.group(attributes.gid()));
                Openat.chmod(upper, name, attributes.mode());
            }
            // Last, since making a directory changes its parent's time; children before parents does no harm.
            for (DirectoryAttributes attributes : new ArrayList<>(described).reversed()) {
                Openat.setTimes(upper, EffectiveDirectories.raw(attributes.path()),
                        FileTimes.of(attributes.modifiedSeconds(), attributes.modifiedNanos()));
            }
        }
    }
}
