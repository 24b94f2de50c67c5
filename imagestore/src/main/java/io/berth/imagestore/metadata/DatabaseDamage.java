package io.berth.imagestore.metadata;

import java.sql.SQLException;
import java.util.Optional;
import org.sqlite.SQLiteErrorCode;
import org.sqlite.SQLiteException;

/** Tells whether a SQLite database is lost as it is, rather than its disk full or its directory closed. */
public final class DatabaseDamage {
    private DatabaseDamage() {}

    /**
     * What {@code failure} says is damaged, as a part of a sentence; empty where the database may be whole. A page that the disk
     * does not give back is damage, too: no second try and no free space brings it back.
     */
    public static Optional<String> of(SQLException failure) {
        if (!(failure instanceof SQLiteException sqlite)) {
            return Optional.empty();
        }
        SQLiteErrorCode code = sqlite.getResultCode();
        return switch (code) {
            case SQLITE_CORRUPT, SQLITE_CORRUPT_INDEX, SQLITE_CORRUPT_SEQUENCE, SQLITE_CORRUPT_VTAB,
                    SQLITE_NOTADB ->
                Optional.of(String.valueOf(failure.getMessage()));
            case SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_CORRUPTFS, SQLITE_IOERR_DATA ->
                Optional.of("its disk cannot read it: " + failure.getMessage());
            default -> Optional.empty();
        };
    }
}
