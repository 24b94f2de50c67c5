package io.berth.imagestore.copies;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * A file for each row of some tables of an SQLite database, {@code <directory>/<table>/<key>.json}, from which the database can
 * be made again. The files are for that day only; nothing else reads them. One thread at a time may use an object.
 *
 * <p>
 * A file is replaced in one step, and not flushed: after a loss of power the newest may be missing, and {@link #updateAll} at the
 * next start writes them anew.
 */
public final class RowCopies {
    private static final Pattern PLAIN_NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._:-]{0,119}");
    private static final String END = ".json";
    private static final String VERSION = "version";

    private final Path directory;
    private final List<Table> tables;

    /**
     * A table whose rows are copied.
     *
     * @param key the column that is its primary key, of type TEXT
     */
    public record Table(String name, String key) {}

    /**
     * What became of the copies.
     *
     * @param rows how many were put into the database
     * @param problems copies that could not be, each named with the reason
     */
    public record Restored(int rows, List<String> problems) {
        public Restored {
            problems = List.copyOf(problems);
        }
    }

    /** @param tables in the order in which their rows can be restored */
    public RowCopies(Path directory, List<Table> tables) {
        this.directory = directory;
        this.tables = List.copyOf(tables);
    }

    /** Where they are. */
    public Path directory() {
        return directory;
    }

    /** Makes the copies of some rows equal to the rows: written, or deleted where there is no such row. */
    public void update(Connection connection, String table, Collection<String> keys)
            throws SQLException, IOException {
        if (keys.isEmpty()) {
            return;
        }
        Table of = table(table);
        makeDirectory(home(of));
        try (PreparedStatement select = connection.prepareStatement(
                "SELECT * FROM " + of.name() + " WHERE " + of.key() + " = ?")) {
            for (String key : keys) {
                select.setString(1, key);
                try (ResultSet row = select.executeQuery()) {
                    if (row.next()) {
                        write(file(of, key), RowJson.of(row));
                    } else {
                        Files.deleteIfExists(file(of, key));
                    }
                }
            }
        }
    }

    /** Makes all copies equal to the rows, and notes the version of the database's schema. */
    public void updateAll(Connection connection, int schemaVersion) throws SQLException, IOException {
        for (Table table : tables) {
            List<String> keys = new ArrayList<>();
            try (PreparedStatement select = connection
                    .prepareStatement("SELECT " + table.key() + " FROM " + table.name());
                    ResultSet row = select.executeQuery()) {
                while (row.next()) {
                    keys.add(row.getString(1));
                }
            }
            update(connection, table.name(), keys);
            Set<Path> owned = new HashSet<>();
            keys.forEach(key -> owned.add(file(table, key)));
            for (Path file : files(table)) {
                if (!owned.contains(file)) {
                    Files.delete(file);
                }
            }
        }
        makeDirectory(directory);
        write(directory.resolve(VERSION), (schemaVersion + "\n").getBytes(StandardCharsets.US_ASCII));
    }

    /** How many copies of rows of {@code table} there are. */
    public int count(String table) throws IOException {
        return files(table(table)).size();
    }

    /** The schema version of the copies; empty where there are none, or where it cannot be read. */
    public Optional<Integer> schemaVersion() {
        try {
            String text = Files.readString(directory.resolve(VERSION)).strip();
            return text.matches("\\d{1,6}") ? Optional.of(Integer.parseInt(text)) : Optional.empty();
        } catch (IOException e) {
            // Each copy says by its columns whether it fits; that a small file is lost must not cost the large ones.
            return Optional.empty();
        }
    }

    /** Puts all copies into a database that has the tables, and no rows. A copy that cannot be read costs only its own row. */
    public Restored restore(Connection connection) throws SQLException, IOException {
        int rows = 0;
        List<String> problems = new ArrayList<>();
        for (Table table : tables) {
            for (Path file : files(table)) {
                try {
                    RowJson.insert(connection, table.name(), Files.readAllBytes(file));
                    rows++;
                } catch (SQLException | IOException | IllegalArgumentException e) {
                    problems.add(file + " cannot be restored: " + e.getMessage());
                }
            }
        }
        return new Restored(rows, problems);
    }

    private static void makeDirectory(Path directory) throws IOException {
        Files.createDirectories(directory,
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    private List<Path> files(Table table) throws IOException {
        List<Path> files = new ArrayList<>();
        if (Files.isDirectory(home(table))) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(home(table), "*" + END)) {
                entries.forEach(files::add);
            }
        }
        return files;
    }

    private Table table(String name) {
        return tables.stream().filter(table -> table.name().equals(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no copies are kept of table " + name));
    }

    private Path home(Table table) {
        return directory.resolve(table.name());
    }

    private Path file(Table table, String key) {
        return home(table).resolve((PLAIN_NAME.matcher(key).matches() ? key : sha256(key)) + END);
    }

    private static void write(Path file, byte[] content) throws IOException {
        if (has(file, content)) {
            return;
        }
        Path next = file.resolveSibling(file.getFileName() + ".new");
        try {
            Files.write(next, content);
            Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            // A part of it would take the rest of a full disk.
            Files.deleteIfExists(next);
            throw e;
        }
    }

    /** A file that the disk does not give back is written anew, like one with other content. */
    private static boolean has(Path file, byte[] content) {
        try {
            return Files.exists(file) && Arrays.equals(Files.readAllBytes(file), content);
        } catch (IOException e) {
            return false;
        }
    }

    private static String sha256(String key) {
        try {
            return java.util.HexFormat.of().formatHex(
                    MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }
}
