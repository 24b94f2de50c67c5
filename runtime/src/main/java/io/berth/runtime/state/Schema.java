package io.berth.runtime.state;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;

/** The database's tables, and the steps from each version of them to the next. */
final class Schema {
    /** Step i leads from version i to version i + 1. A released step never changes. */
    private static final List<List<String>> STEPS = List.of(List.of("""
        CREATE TABLE sandbox (
          id TEXT PRIMARY KEY, phase TEXT NOT NULL, config BLOB NOT NULL,
          requested_handler TEXT NOT NULL, runtime TEXT NOT NULL, created_at INTEGER NOT NULL,
          cgroup TEXT NOT NULL, namespaces TEXT NOT NULL, files TEXT NOT NULL,
          cni_ips TEXT, cni_result TEXT, cni_config TEXT,
          pause_pid INTEGER, pause_start INTEGER
        ) STRICT, WITHOUT ROWID""", """
        CREATE TABLE container (
          id TEXT PRIMARY KEY, sandbox_id TEXT NOT NULL, phase TEXT NOT NULL,
          config BLOB NOT NULL, resources BLOB NOT NULL,
          image_id TEXT NOT NULL, image_digest TEXT NOT NULL, image_name TEXT NOT NULL,
          runtime TEXT NOT NULL, cgroups_path TEXT NOT NULL, log_path TEXT NOT NULL,
          user BLOB NOT NULL, stop_signal INTEGER NOT NULL, pid INTEGER NOT NULL, shim_pid INTEGER NOT NULL,
          created_at INTEGER NOT NULL, started_at INTEGER NOT NULL, finished_at INTEGER NOT NULL,
          exit_code INTEGER NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL
        ) STRICT, WITHOUT ROWID"""), List.of("""
        CREATE TABLE node (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"""), List.of("""
        ALTER TABLE sandbox ADD COLUMN selinux_level TEXT NOT NULL DEFAULT ''"""));

    /** The version that this Berth reads and writes. */
    static final int VERSION = STEPS.size();

    private Schema() {}

    /**
     * Brings the database to this version, in one transaction.
     *
     * @throws StateException where a newer Berth has written it
     */
    static void migrate(Connection connection, Path file) throws SQLException, StateException {
        int version = version(connection);
        if (version > VERSION) {
            throw new StateException(file + " has schema version " + version + ", this Berth knows up to "
                    + VERSION
                    + ": it was written by a newer Berth. Install that version again, or drain the"
                    + " node and move the file away");
        }
        migrate(connection, version, VERSION);
    }

    /** The steps from version {@code from} to {@code to}, in one transaction. */
    static void migrate(Connection connection, int from, int to) throws SQLException {
        if (from == to) {
            return;
        }
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            for (List<String> step : STEPS.subList(from, to)) {
                for (String sql : step) {
                    statement.executeUpdate(sql);
                }
            }
            statement.executeUpdate("PRAGMA user_version = " + to);
            connection.commit();
        } catch (SQLException e) {
            StateFile.abandon(connection, e);
            throw e;
        }
        connection.setAutoCommit(true);
    }

    private static int version(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("PRAGMA user_version")) {
            return rows.next() ? rows.getInt(1) : 0;
        }
    }
}
