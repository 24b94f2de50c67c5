package io.berth.imagestore.metadata;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.copies.RowCopies;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The file {@code images.db} with the copies of its rows: opened where it is sound, made again where it is not. */
public final class ImageDatabase {
    static final int SCHEMA_VERSION = 2;
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
    private static final List<RowCopies.Table> TABLES = List.of(new RowCopies.Table("layers", "diff_id"),
            new RowCopies.Table("retired_layers", "directory"), new RowCopies.Table("images", "id"),
            new RowCopies.Table("image_names", "name"), new RowCopies.Table("snapshots", "key"));

    private final Path file;

    /** @param file of the database; the directories of layers and snapshots are beside it */
    public ImageDatabase(Path file) {
        this.file = file.toAbsolutePath();
    }

    /** Where it is. */
    public Path file() {
        return file;
    }

    /** The copies of its rows, beside it. */
    RowCopies copies() {
        return new RowCopies(file.resolveSibling("copies"), TABLES);
    }

    /**
     * Opens it, made if absent, and brings its tables to this version.
     *
     * @throws ImageException INTERNAL where it is damaged, or gone while there are copies of its rows, or of a newer Berth
     */
    Connection open() throws ImageException {
        try {
            return openSound(connection -> FullDiskReserve.make(connection, file));
        } catch (DamagedException e) {
            throw damaged(String.valueOf(e.getMessage()), e);
        } catch (ImageException e) {
            throw e;
        } catch (SQLException | IOException e) {
            throw new ImageException(Kind.INTERNAL, "the image database " + file + " cannot be opened: "
                    + e.getMessage() + ". Check that the disk is writable and not full", e);
        }
    }

    ImageException damaged(String damage, Exception cause) {
        return new ImageException(Kind.INTERNAL, "the image database " + file + " is damaged: " + damage
                + ". Run \"berth recover\" with this daemon's options while it is stopped: that keeps the file and"
                + " makes a new one from " + copies().directory(), cause);
    }

    /** What is damaged; empty where nothing is. The store must not be open. */
    public Optional<String> damage() throws ImageException {
        try (Connection connection = openSound(sound -> {})) {
            return unreadable(connection);
        } catch (DamagedException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        } catch (ImageException e) {
            throw e;
        } catch (SQLException | IOException e) {
            throw new ImageException(Kind.INTERNAL,
                    "the image database " + file + " cannot be opened: " + e.getMessage(), e);
        }
    }

    private static Optional<String> unreadable(Connection connection) {
        try {
            new CatalogReader(connection).read();
            return Optional.empty();
        } catch (SQLException | ImageException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }

    /**
     * Makes the file, which must not exist, from the copies. What is not on disk whole is left out: layers without their
     * directory, images without one of their layers, snapshots without their directory.
     */
    public RowCopies.Restored restore() throws ImageException {
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file)) {
            prepare(connection);
            RowCopies.Restored restored = copies().restore(connection);
            List<String> problems = new ArrayList<>(restored.problems());
            problems.addAll(leaveOutWhatIsNotThere(connection));
            return new RowCopies.Restored(restored.rows(), problems);
        } catch (DamagedException | SQLException | IOException e) {
            throw new ImageException(Kind.INTERNAL,
                    "cannot make " + file + " from the copies of its rows: " + e.getMessage(), e);
        }
    }

    private static final class DamagedException extends Exception {
        private static final long serialVersionUID = 1;

        DamagedException(String damage) {
            super(damage);
        }
    }

    @FunctionalInterface
    private interface Use {
        void of(Connection connection) throws SQLException;
    }

    private Connection openSound(Use first) throws DamagedException, SQLException, IOException {
        refuseIfLost();
        try {
            Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
            try {
                prepare(connection);
                first.of(connection);
                return connection;
            } catch (SQLException | DamagedException | ImageException | RuntimeException e) {
                connection.close();
                throw e;
            }
        } catch (SQLException e) {
            Optional<String> damage = DatabaseDamage.of(e);
            if (damage.isPresent()) {
                throw new DamagedException(damage.get());
            }
            throw e;
        }
    }

    /** SQLite takes a file without content for a new database; that would delete every layer of this node. */
    private void refuseIfLost() throws DamagedException, IOException {
        boolean there = Files.exists(file);
        if (there && Files.size(file) > 0) {
            return;
        }
        int images = copies().count("images");
        int layers = copies().count("layers");
        if (images + layers > 0) {
            throw new DamagedException((there ? "it is empty" : "it is not there") + ", while "
                    + copies().directory() + " has " + images + " images and " + layers + " layers");
        }
    }

    private void prepare(Connection connection) throws SQLException, DamagedException, ImageException {
        execute(connection, "PRAGMA journal_mode = WAL");
        execute(connection, "PRAGMA synchronous = FULL");
        execute(connection, "PRAGMA foreign_keys = ON");
        String check = answer(connection, "PRAGMA quick_check(1)");
        if (!check.equals("ok")) {
            throw new DamagedException(check);
        }
        if (answer(connection, "SELECT count(*) FROM sqlite_master WHERE name = 'schema_version'")
                .equals("0")) {
            change(connection, SCHEMA,
                    "INSERT INTO schema_version (version) VALUES (" + SCHEMA_VERSION + ")");
        }
        int version = Integer.parseInt(answer(connection, "SELECT version FROM schema_version"));
        if (version > SCHEMA_VERSION) {
            throw new ImageException(Kind.INTERNAL, "the image database " + file + " has schema version "
                    + version + ", this Berth knows " + SCHEMA_VERSION
                    + ". Install the newer Berth again, or move the image store away");
        }
        if (version < SCHEMA_VERSION) {
            change(connection, TO_VERSION_2, "UPDATE schema_version SET version = " + SCHEMA_VERSION);
        }
    }

    private List<String> leaveOutWhatIsNotThere(Connection connection) throws SQLException, ImageException {
        List<String> problems = new ArrayList<>();
        Catalog catalog = new CatalogReader(connection).read();
        Map<String, Layer> there = new LinkedHashMap<>();
        for (Layer layer : catalog.layers().values()) {
            if (Files.isDirectory(file.resolveSibling("layers").resolve(layer.directory()))) {
                there.put(layer.diffId(), layer);
            } else {
                delete(connection, "layers", "diff_id", layer.diffId());
            }
        }
        for (StoredImage stored : catalog.images().values()) {
            if (!there.keySet().containsAll(stored.image().diffIds())) {
                delete(connection, "images", "id", stored.image().id());
                problems.add("image " + stored.image().id() + " " + stored.image().repoTags()
                        + ": not all of its layers are here; pull it again");
            }
        }
        for (StoredSnapshot snapshot : catalog.snapshots().values()) {
            if (!there.keySet().containsAll(snapshot.diffIds())
                    || !Files.isDirectory(file.resolveSibling("snapshots").resolve(snapshot.directory()))) {
                delete(connection, "snapshots", "key", snapshot.key());
                problems.add("the root filesystem of container " + snapshot.key() + " is not whole");
            }
        }
        return problems;
    }

    private static void delete(Connection connection, String table, String column, String key)
            throws SQLException {
        try (PreparedStatement delete = connection
                .prepareStatement("DELETE FROM " + table + " WHERE " + column + " = ?")) {
            delete.setString(1, key);
            delete.executeUpdate();
        }
    }

    private static void change(Connection connection, String script, String last) throws SQLException {
        execute(connection, "BEGIN IMMEDIATE");
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate(script);
            statement.executeUpdate(last);
        }
        execute(connection, "COMMIT");
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static String answer(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            return rows.next() ? String.valueOf(rows.getString(1)) : "";
        }
    }
}
