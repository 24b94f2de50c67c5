package io.berth.imagestore.metadata;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.copies.RowCopies;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The database {@code images.db}. {@link #catalog} answers from memory; a change is on disk before it is visible there. Any
 * thread may use it.
 */
public final class Metadata implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Metadata.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int SQLITE_FULL = 13;
    private static final Duration AFTER_START = Duration.ofSeconds(2);

    private final Connection connection;
    private final PinnedNames pinned;
    private final RowCopies copies;
    private final ReentrantLock lock = new ReentrantLock();
    private final CountDownLatch closing = new CountDownLatch(1);
    private boolean copiedAll;
    private volatile Catalog catalog = Catalog.EMPTY;

    /** Tells which images are never collected, by their names. */
    @FunctionalInterface
    public interface PinnedNames {
        boolean contains(String canonicalName);
    }

    private Metadata(Connection connection, PinnedNames pinned, RowCopies copies) {
        this.connection = connection;
        this.pinned = pinned;
        this.copies = copies;
    }

    /**
     * Opens the database, made if absent.
     *
     * @throws ImageException INTERNAL where it is damaged or was written by a newer Berth
     */
    public static Metadata open(Path file, PinnedNames pinned) throws ImageException {
        ImageDatabase database = new ImageDatabase(file);
        Connection connection = database.open();
        Metadata metadata = new Metadata(connection, pinned, database.copies());
        try {
            Catalog read = new CatalogReader(connection).read();
            Map<String, StoredImage> images = new HashMap<>();
            read.images().forEach((id, stored) -> images.put(id,
                    new StoredImage(metadata.withPinning(stored.image()), stored.directories())));
            metadata.catalog = new Catalog(images, read.names(), read.layers(), read.snapshots(),
                    read.retired());
            Thread.ofPlatform().daemon().name("berth-image-copies").start(metadata::copyAllLater);
            return metadata;
        } catch (SQLException | ImageException e) {
            // Without a last look at the copies: they are better than this.
            closeQuietly(connection);
            throw database.damaged(String.valueOf(e.getMessage()), e);
        }
    }

    /** What is committed now. */
    public Catalog catalog() {
        return catalog;
    }

    /**
     * Adds or replaces an image together with the layers that it brings. Names move here from whatever image had them.
     */
    public StoredImage putImage(StoredImage stored, Collection<Layer> newLayers) throws ImageException {
        Image image = withPinning(stored.image());
        StoredImage result = new StoredImage(image, stored.directories());
        change("record image " + image.id(), true, () -> {
            Map<String, StoredImage> losers = losersOf(image);
            for (Layer layer : newLayers) {
                insert(layer);
            }
            insert(result);
            for (String name : names(image)) {
                update("INSERT OR REPLACE INTO image_names (name, image_id) VALUES (?, ?)", name, image.id());
            }
            return catalog.withLayers(newLayers).withImage(result, losers);
        });
        return result;
    }

    /** Takes one of its names from the image {@code id}, which stays. */
    public StoredImage removeName(String id, String name) throws ImageException {
        StoredImage before = catalog.images().get(id);
        if (before == null) {
            throw new ImageException(Kind.NOT_FOUND, "image " + id + " is not on this node");
        }
        StoredImage after = new StoredImage(withPinning(ImageNames.without(before.image(), name)),
                before.directories());
        change("take the name " + name + " from image " + id, true, () -> {
            update("DELETE FROM image_names WHERE name = ?", name);
            return catalog.withoutName(name).withImage(after, Map.of());
        });
        return after;
    }

    /** Forgets an image and its names; absent is success. */
    public void removeImage(String id) throws ImageException {
        change("remove image " + id, true, () -> {
            update("DELETE FROM images WHERE id = ?", id);
            return catalog.withoutImage(id);
        });
    }

    /** Forgets layers whose files the caller deletes next. */
    public void removeLayers(Set<String> diffIds) throws ImageException {
        change("remove layers", true, () -> {
            for (String diffId : diffIds) {
                update("DELETE FROM layers WHERE diff_id = ?", diffId);
            }
            return catalog.withoutLayers(diffIds);
        });
    }

    /**
     * Puts {@code layer} in the place of the one with its diff id.
     *
     * @param retired what stays of that one, as snapshots use it; null where nothing does
     */
    public void replaceLayer(Layer layer, @Nullable RetiredLayer retired) throws ImageException {
        change("replace layer " + layer.diffId(), true, () -> {
            update("DELETE FROM layers WHERE diff_id = ?", layer.diffId());
            insert(layer);
            List<RetiredLayer> all = new ArrayList<>(catalog.retired());
            if (retired != null) {
                update("INSERT INTO retired_layers (directory, diff_id, snapshots) VALUES (?, ?, ?)",
                        retired.directory(), retired.diffId(), write(retired.snapshots()));
                all.add(retired);
            }
            return catalog.withReplacedLayer(layer, List.copyOf(all));
        });
    }

    /** Forgets retired layers whose files the caller deletes next. */
    public void removeRetired(Collection<RetiredLayer> gone) throws ImageException {
        change("remove retired layers", true, () -> {
            for (RetiredLayer retired : gone) {
                update("DELETE FROM retired_layers WHERE directory = ?", retired.directory());
            }
            return catalog.withRetired(
                    catalog.retired().stream().filter(retired -> !gone.contains(retired)).toList());
        });
    }

    /**
     * Records a snapshot. It survives the end of this process at once, and a loss of power as soon as the database's log
     * is written next: the container that it is for would be gone with the power, too.
     */
    public void putSnapshot(StoredSnapshot snapshot) throws ImageException {
        change("record snapshot " + snapshot.key(), false, () -> {
            update("INSERT INTO snapshots (key, image_id, directory, diff_ids) VALUES (?, ?, ?, ?)",
                    snapshot.key(),
                    snapshot.imageId(), snapshot.directory(), write(snapshot.diffIds()));
            return catalog.withSnapshot(snapshot);
        });
    }

    /** Forgets a snapshot; absent is success. */
    public void removeSnapshot(String key) throws ImageException {
        change("remove snapshot " + key, false, () -> {
            update("DELETE FROM snapshots WHERE key = ?", key);
            return catalog.withoutSnapshot(key);
        });
    }

    @Override
    public void close() {
        closing.countDown();
        copyAll();
        lock.lock();
        try {
            // Left open for the process' end: closing would delete the log, and with it the reserve for a full disk.
            FullDiskReserve.keep(connection);
        } catch (SQLException e) {
            // Every change was committed when it was made.
        } finally {
            lock.unlock();
        }
    }

    private static void closeQuietly(Connection connection) {
        try {
            connection.close();
        } catch (SQLException e) {
            // It could not be read: that is what the caller is told.
        }
    }

    @FunctionalInterface
    private interface Change {
        Catalog apply() throws SQLException, ImageException;
    }

    private void change(String what, boolean durable, Change change) throws ImageException {
        lock.lock();
        try {
            execute("PRAGMA synchronous = " + (durable ? "FULL" : "NORMAL"));
            execute("BEGIN IMMEDIATE");
            Catalog next;
            try {
                next = change.apply();
                execute("COMMIT");
            } catch (SQLException | ImageException | RuntimeException e) {
                rollBack();
                throw e;
            }
            Catalog before = catalog;
            catalog = next;
            copyChanged(before, next);
        } catch (SQLException e) {
            if (e.getErrorCode() == SQLITE_FULL) {
                throw new ImageException(Kind.NO_SPACE, "cannot " + what
                        + ": the file system of the image store is full; free some space, or enlarge it", e);
            }
            throw new ImageException(Kind.INTERNAL,
                    "cannot " + what + " in the image database: " + e.getMessage(), e);
        } finally {
            lock.unlock();
        }
    }

    private void rollBack() {
        try {
            execute("ROLLBACK");
        } catch (SQLException e) {
            // SQLite rolls back by itself after some errors; the first error is the one to report.
        }
    }

    /** Makes good for copies that an earlier process had no time to write; a start has better things to do first. */
    private void copyAllLater() {
        try {
            if (!closing.await(AFTER_START.toMillis(), TimeUnit.MILLISECONDS)) {
                copyAll();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void copyAll() {
        lock.lock();
        try {
            if (!connection.isClosed() && !copiedAll) {
                copies.updateAll(connection, ImageDatabase.SCHEMA_VERSION);
                copiedAll = true;
            }
        } catch (SQLException | IOException e) {
            cannotCopy(e);
        } finally {
            lock.unlock();
        }
    }

    private void copyChanged(Catalog before, Catalog after) {
        try {
            copies.update(connection, "layers", changed(before.layers(), after.layers()));
            copies.update(connection, "images", changed(before.images(), after.images()));
            copies.update(connection, "image_names", changed(before.names(), after.names()));
            copies.update(connection, "snapshots", changed(before.snapshots(), after.snapshots()));
            copies.update(connection, "retired_layers",
                    changed(byDirectory(before.retired()), byDirectory(after.retired())));
        } catch (SQLException | IOException e) {
            cannotCopy(e);
        }
    }

    private static Map<String, RetiredLayer> byDirectory(List<RetiredLayer> retired) {
        Map<String, RetiredLayer> byDirectory = new HashMap<>();
        retired.forEach(layer -> byDirectory.put(layer.directory(), layer));
        return byDirectory;
    }

    /** Keys whose value has changed, or that only one of the two has. */
    private static <V> List<String> changed(Map<String, V> before, Map<String, V> after) {
        if (before.equals(after)) {
            return List.of();
        }
        List<String> keys = new ArrayList<>();
        after.forEach((key, value) -> {
            if (!value.equals(before.get(key))) {
                keys.add(key);
            }
        });
        before.keySet().stream().filter(key -> !after.containsKey(key)).forEach(keys::add);
        return keys;
    }

    private void cannotCopy(Exception e) {
        log.atWarn().addKeyValue("directory", copies.directory()).setCause(e).log(
                "could not copy what the image database has; the next start tries again. Is the disk full?");
    }

    private Image withPinning(Image image) {
        return ImageNames.with(image, image.repoTags(), image.repoDigests(),
                names(image).stream().anyMatch(pinned::contains));
    }

    /** The images that lose names to {@code winner}, as they are afterwards. */
    private Map<String, StoredImage> losersOf(Image winner) {
        Map<String, StoredImage> losers = new HashMap<>();
        for (String name : names(winner)) {
            String owner = catalog.names().get(name);
            StoredImage before = owner == null || owner.equals(winner.id())
                    ? null
                    : losers.getOrDefault(owner, catalog.images().get(owner));
            if (before != null) {
                losers.put(owner, new StoredImage(withPinning(ImageNames.without(before.image(), name)),
                        before.directories()));
            }
        }
        return losers;
    }

    private static List<String> names(Image image) {
        List<String> names = new ArrayList<>(image.repoTags());
        names.addAll(image.repoDigests());
        return names;
    }

    private void insert(Layer layer) throws SQLException, ImageException {
        update("""
            INSERT INTO layers (diff_id, directory, disk_bytes, inodes, implied_directories, root_opaque, record)
            VALUES (?, ?, ?, ?, ?, ?, ?)""",
                layer.diffId(), layer.directory(), layer.diskBytes(),
                layer.inodes(),
                write(layer.impliedDirectories()), layer.rootOpaque(), layer.record());
    }

    private void insert(StoredImage stored) throws SQLException, ImageException {
        Image image = stored.image();
        // An upsert: replacing the row would take the image's names with it.
        update("""
            INSERT INTO images (id, manifest_digest, manifest, config, size_bytes, diff_ids, directories, pulled_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
              manifest_digest = excluded.manifest_digest, manifest = excluded.manifest,
              size_bytes = excluded.size_bytes, pulled_at = excluded.pulled_at""",
                image.id(), image.manifestDigest(),
                image.manifestJson(), image.configJson(), image.sizeBytes(), write(image.diffIds()),
                write(stored.directories()), image.pulledAt().toString());
    }

    private void execute(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private void update(String sql, @Nullable Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) {
                statement.setObject(i + 1, values[i]);
            }
            statement.executeUpdate();
        }
    }

    private static String write(Object value) throws ImageException {
        try {
            return JSON.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new ImageException(Kind.INTERNAL, "cannot write " + value + " as JSON", e);
        }
    }
}
