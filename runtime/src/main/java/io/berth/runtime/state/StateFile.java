package io.berth.runtime.state;

import io.berth.imagestore.copies.RowCopies;
import io.berth.imagestore.metadata.DatabaseDamage;
import io.berth.imagestore.metadata.FullDiskReserve;
import io.berth.linux.PrivateFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Optional;

/** The file {@code berth.db} with the copies of its rows: opened where it is sound, made again where it is not. */
public final class StateFile {
    static final String SANDBOX = "sandbox";
    static final String CONTAINER = "container";

    private final Path file;

    public StateFile(Path file) {
        this.file = file.toAbsolutePath();
    }

    /** The copies of its rows, beside it. */
    RowCopies copies() {
        return new RowCopies(file.resolveSibling("copies"),
                List.of(new RowCopies.Table(SANDBOX, "id"), new RowCopies.Table(CONTAINER, "id")));
    }

    /**
     * Ends a transaction that has failed. After an error of the disk SQLite has rolled back by itself, and what is done here
     * fails, too: that must not hide what went wrong.
     */
    static void abandon(Connection connection, Exception failure) {
        try {
            connection.rollback();
        } catch (SQLException e) {
            failure.addSuppressed(e);
        }
        try {
            connection.setAutoCommit(true);
        } catch (SQLException e) {
            failure.addSuppressed(e);
        }
    }

    /**
     * Opens it, made if absent, and brings its tables to this version.
     *
     * @throws DamagedStateException where it is damaged, or gone while there are copies of its rows
     * @throws StateException where it cannot be opened, or is of a newer Berth
     */
    Connection open() throws StateException {
        try {
            Files.createDirectories(file.getParent());
            refuseIfLost();
            // SQLite gives its log and index the database's permissions.
            PrivateFile.ensure(file);
            Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
            try {
                try (Statement statement = connection.createStatement()) {
                    statement.execute("PRAGMA journal_mode = WAL");
                    statement.execute("PRAGMA synchronous = FULL");
                    statement.execute("PRAGMA busy_timeout = 5000");
                }
                check(connection);
                Schema.migrate(connection, file);
                FullDiskReserve.make(connection, file);
                return connection;
            } catch (SQLException | StateException e) {
                connection.close();
                throw e;
            }
        } catch (SQLException e) {
            Optional<String> damage = DatabaseDamage.of(e);
            if (damage.isPresent()) {
                throw new DamagedStateException(file, damage.get(), e);
            }
            throw new StateException("cannot open the state database " + file + ": " + e.getMessage()
                    + ". Check that the disk is writable and not full", e);
        } catch (StateException e) {
            throw e;
        } catch (IOException e) {
            throw new StateException("cannot open the state database " + file + ": " + e.getMessage()
                    + ". Check that the disk is writable and not full", e);
        }
    }

    /** SQLite takes a file without content for a new database; that would end every container of this node. */
    private void refuseIfLost() throws IOException {
        boolean there = Files.exists(file);
        if (there && Files.size(file) > 0) {
            return;
        }
        int sandboxes = copies().count(SANDBOX);
        int containers = copies().count(CONTAINER);
        if (sandboxes + containers > 0) {
            throw new DamagedStateException(file, (there ? "it is empty" : "it is not there") + ", while "
                    + copies().directory() + " has " + sandboxes + " pods and " + containers + " containers",
                    null);
        }
    }

    private void check(Connection connection) throws SQLException, DamagedStateException {
        try (Statement statement = connection.createStatement();
                ResultSet answer = statement.executeQuery("PRAGMA quick_check(1)")) {
            String found = answer.next() ? answer.getString(1) : "no answer";
            if (!"ok".equals(found)) {
                throw new DamagedStateException(file, found, null);
            }
        }
    }

    /**
     * Makes the file, which must not exist, from the copies.
     *
     * @return what became of them; what no copy tells is not known any more
     */
    public RowCopies.Restored restore() throws StateException {
        try {
            RowCopies copies = copies();
            int version = copies.schemaVersion().orElse(Schema.VERSION);
            if (version > Schema.VERSION) {
                throw new StateException(copies.directory() + " was written by a newer Berth (schema version "
                        + version + ", this one knows up to " + Schema.VERSION + "); recover with that one");
            }
            PrivateFile.ensure(file);
            try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file)) {
                Schema.migrate(connection, 0, version);
                RowCopies.Restored restored = copies.restore(connection);
                Schema.migrate(connection, version, Schema.VERSION);
                return restored;
            }
        } catch (StateException e) {
            throw e;
        } catch (SQLException | IOException e) {
            throw new StateException(
                    "cannot make " + file + " from the copies of its rows: " + e.getMessage(),
                    e);
        }
    }
}
