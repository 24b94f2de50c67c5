package io.berth.imagestore.metadata;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets a SQLite database in WAL mode be written on a full disk, so that images and pods can be removed from one. Its log is
 * made as long as it gets between two checkpoints, and is written over from its beginning ever after; a first such writing
 * leaves free pages in the database, too.
 */
public final class FullDiskReserve {
    private static final Logger LOG = LoggerFactory.getLogger(FullDiskReserve.class);
    private static final int SQLITE_FULL = 13;
    private static final int PAGE_BYTES = 4096;
    /** At each so many pages the log goes into the database. */
    private static final int CHECKPOINT_PAGES = 256;
    /** A transaction that passes the checkpoint's mark may be this much longer. */
    private static final int RESERVED_PAGES = CHECKPOINT_PAGES + 128;

    private FullDiskReserve() {}

    /**
     * To be called once after {@code connection} was opened and its tables made. Does nothing where the log of the last time
     * is there still, or the disk is full already.
     */
    public static void make(Connection connection, Path database) throws SQLException {
        Path log = database.resolveSibling(database.getFileName() + "-wal");
        try (Statement statement = connection.createStatement()) {
            statement.execute("PRAGMA wal_autocheckpoint = " + CHECKPOINT_PAGES);
            if (log.toFile().length() >= (long) RESERVED_PAGES * PAGE_BYTES) {
                return;
            }
            lengthen(statement);
        } catch (SQLException e) {
            if (e.getErrorCode() != SQLITE_FULL) {
                throw e;
            }
            LOG.atWarn().addKeyValue("database", database)
                    .log("the disk is too full for a reserve; pods and images can be removed once there is space");
        }
    }

    private static void lengthen(Statement statement) throws SQLException {
        // A daemon that was killed right here has left the table.
        statement.execute("DROP TABLE IF EXISTS full_disk_reserve");
        statement.execute("CREATE TABLE full_disk_reserve (ballast BLOB)");
        try {
            statement.execute(
                    "INSERT INTO full_disk_reserve VALUES (zeroblob(" + RESERVED_PAGES * PAGE_BYTES + "))");
        } finally {
            statement.execute("DROP TABLE full_disk_reserve");
        }
        // RESTART keeps the log's length, and has the next writer begin at its start.
        statement.execute("PRAGMA wal_checkpoint(RESTART)");
    }

    /** Puts the log into the database, and leaves it there, where closing a last connection would delete it. */
    public static void keep(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("PRAGMA wal_checkpoint(RESTART)");
        }
    }
}
