package io.berth.imagestore.metadata;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The database {@code images.db}. {@link #catalog} answers from memory; a change is on disk before it is visible there. Any
 * thread may use it.
 */
public final class Metadata implements AutoCloseable {
    private static final int SCHEMA_VERSION = 2;
    private static final int SQLITE_FULL = 13;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final TypeReference<List<String>> STRINGS = new TypeReference<>() {
    };
    private static final TypeReference<Set<String>> STRING_SET = new TypeReference<>() {
    };
    private static final TypeReference<List<DirectoryAttributes>> DIRECTORIES = new TypeReference<>() {
    };
    private static final String SCHEMA = """
        CREATE TABLE schema_version (version INTEGER NOT NULL);
        CREATE TABLE layers (
          diff_id TEXT PRIMARY KEY, directory TEXT NOT NULL UNIQUE, disk_bytes INTEGER NOT NULL,
          inodes INTEGER NOT NULL, implied_directories TEXT NOT NULL, root_opaque INTEGER NOT NULL,
          record TEXT) WITHOUT ROWID;
        CREATE TABLE retired_layers (
          directory TEXT PRIMARY KEY, diff_id TEXT NOT NULL, snapshots TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE images (
          id TEXT PRIMARY KEY, manifest_digest TEXT NOT NULL, manifest TEXT NOT NULL, config TEXT NOT NULL,
          size_bytes INTEGER NOT NULL, diff_ids TEXT NOT NULL, directories TEXT NOT NULL,
          pulled_at TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE image_names (
          name TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE) WITHOUT ROWID;
        CREATE INDEX image_names_image ON image_names (image_id);
        CREATE TABLE snapshots (
          key TEXT PRIMARY KEY, image_id TEXT NOT NULL, directory TEXT NOT NULL UNIQUE,
          diff_ids TEXT NOT NULL) WITHOUT ROWID;
        """;
    /** From version 1, which kept no records of layers. */
    private static final String TO_VERSION_2 = """
        ALTER TABLE layers ADD COLUMN record TEXT;
        CREATE TABLE retired_layers (
          directory TEXT PRIMARY KEY, diff_id TEXT NOT NULL, snapshots TEXT NOT NULL) WITHOUT ROWID;
        """;

    private final Connection connection;
    private final PinnedNames pinned;
    private final ReentrantLock lock = new ReentrantLock();
    private volatile Catalog catalog = Catalog.EMPTY;

    /** Tells which images are never collected, by their names. */
    @FunctionalInterface
    public interface PinnedNames {
        boolean contains(String canonicalName);
    }

    private Metadata(Connection connection, PinnedNames pinned) {
        this.connection = connection;
        this.pinned = pinned;
    }

    /**
     * Opens the database, made if absent.
     *
     * @throws ImageException INTERNAL where it is damaged or was written by a newer Berth
     */
    public static Metadata open(Path file, PinnedNames pinned) throws ImageException {
        try {
            Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
            Metadata metadata = new Metadata(connection, pinned);
            try {
                metadata.prepare(file);
                FullDiskReserve.make(connection, file);
                metadata.catalog = metadata.load();
                return metadata;
            } catch (SQLException | ImageException | RuntimeException e) {
                connection.close();
                throw e;
            }
        } catch (SQLException e) {
            throw new ImageException(Kind.INTERNAL, "the image database " + file + " cannot be opened: "
                    + e.getMessage()
                    + ". Where it is damaged, move the image store away: its images can be pulled again", e);
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
            catalog = next;
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

    private void prepare(Path file) throws SQLException, ImageException {
        execute("PRAGMA journal_mode = WAL");
        execute("PRAGMA synchronous = FULL");
        execute("PRAGMA foreign_keys = ON");
        boolean fresh;
        try (Statement statement = connection.createStatement();
                ResultSet tables = statement
                        .executeQuery("SELECT count(*) FROM sqlite_master WHERE name = 'schema_version'")) {
            fresh = tables.getInt(1) == 0;
        }
        if (fresh) {
            execute("BEGIN IMMEDIATE");
            try (Statement statement = connection.createStatement()) {
                statement.executeUpdate(SCHEMA);
            }
            update("INSERT INTO schema_version (version) VALUES (?)", SCHEMA_VERSION);
            execute("COMMIT");
        }
        try (Statement statement = connection.createStatement();
                ResultSet version = statement.executeQuery("SELECT version FROM schema_version")) {
            if (version.getInt(1) > SCHEMA_VERSION) {
                throw new ImageException(Kind.INTERNAL, "the image database " + file + " has schema version "
                        + version.getInt(1) + ", this Berth knows " + SCHEMA_VERSION
                        + ". Install the newer Berth again, or move the image store away");
            }
            if (version.getInt(1) == SCHEMA_VERSION) {
                return;
            }
        }
        execute("BEGIN IMMEDIATE");
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate(TO_VERSION_2);
        }
        update("UPDATE schema_version SET version = ?", SCHEMA_VERSION);
        execute("COMMIT");
    }

    private Catalog load() throws SQLException, ImageException {
        Map<String, Layer> layers = new HashMap<>();
        Map<String, StoredSnapshot> snapshots = new HashMap<>();
        Map<String, String> names = new LinkedHashMap<>();
        Map<String, StoredImage> images = new HashMap<>();
        List<RetiredLayer> retired = new ArrayList<>();
        try (Statement statement = connection.createStatement()) {
            try (ResultSet row = statement.executeQuery("SELECT * FROM layers")) {
                while (row.next()) {
                    layers.put(row.getString("diff_id"),
                            new Layer(row.getString("diff_id"), row.getString("directory"),
                                    row.getLong("disk_bytes"), row.getLong("inodes"),
                                    read(row.getString("implied_directories"), STRINGS),
                                    row.getBoolean("root_opaque"), row.getString("record")));
                }
            }
            try (ResultSet row = statement.executeQuery("SELECT * FROM retired_layers")) {
                while (row.next()) {
                    retired.add(new RetiredLayer(row.getString("directory"), row.getString("diff_id"),
                            read(row.getString("snapshots"), STRING_SET)));
                }
            }
            try (ResultSet row = statement.executeQuery("SELECT * FROM snapshots")) {
                while (row.next()) {
                    snapshots.put(row.getString("key"), new StoredSnapshot(row.getString("key"),
                            row.getString("image_id"), row.getString("directory"),
                            read(row.getString("diff_ids"), STRINGS)));
                }
            }
            try (ResultSet row = statement
                    .executeQuery("SELECT name, image_id FROM image_names ORDER BY name")) {
                while (row.next()) {
                    names.put(row.getString("name"), row.getString("image_id"));
                }
            }
            try (ResultSet row = statement.executeQuery("SELECT * FROM images")) {
                while (row.next()) {
                    StoredImage stored = image(row, names);
                    images.put(stored.image().id(), stored);
                }
            }
        }
        return new Catalog(images, names, layers, snapshots, List.copyOf(retired));
    }

    private StoredImage image(ResultSet row, Map<String, String> names) throws SQLException, ImageException {
        String id = row.getString("id");
        List<String> tags = new ArrayList<>();
        List<String> digests = new ArrayList<>();
        names.forEach((name, owner) -> {
            if (owner.equals(id)) {
                (name.indexOf('@') >= 0 ? digests : tags).add(name);
            }
        });
        String config = row.getString("config");
        Image image = new Image(id, tags, digests, row.getLong("size_bytes"),
                ConfigDocument.parse(id, config).config(),
                row.getString("manifest_digest"), row.getString("manifest"), config,
                read(row.getString("diff_ids"), STRINGS), false, Instant.parse(row.getString("pulled_at")));
        return new StoredImage(withPinning(image), read(row.getString("directories"), DIRECTORIES));
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

    private static <T> T read(String json, TypeReference<T> type) throws ImageException {
        try {
            return JSON.readValue(json, type);
        } catch (JsonProcessingException e) {
            throw new ImageException(Kind.INTERNAL,
                    "the image database holds a damaged value: " + e.getOriginalMessage(), e);
        }
    }
}
