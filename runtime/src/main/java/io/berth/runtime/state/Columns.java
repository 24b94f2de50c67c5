package io.berth.runtime.state;

import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Types;
import org.jspecify.annotations.Nullable;

/** Sets a statement's parameters from left to right. */
final class Columns {
    private final PreparedStatement statement;
    private int index;

    Columns(PreparedStatement statement) {
        this.statement = statement;
    }

    Columns text(@Nullable String value) throws SQLException {
        statement.setString(++index, value);
        return this;
    }

    Columns blob(byte[] value) throws SQLException {
        statement.setBytes(++index, value);
        return this;
    }

    Columns number(@Nullable Long value) throws SQLException {
        if (value == null) {
            statement.setNull(++index, Types.INTEGER);
        } else {
            statement.setLong(++index, value);
        }
        return this;
    }

    Columns number(int value) throws SQLException {
        statement.setInt(++index, value);
        return this;
    }
}
