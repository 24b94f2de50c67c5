package io.berth.imagestore.copies;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RowCopiesTest {
    private static final String TABLE = "CREATE TABLE thing (id TEXT PRIMARY KEY, size INTEGER, data BLOB) STRICT";

    @TempDir
    Path directory;

    private RowCopies copies;
    private Connection database;

    @BeforeEach
    void open() throws SQLException {
        copies = new RowCopies(directory.resolve("copies"), List.of(new RowCopies.Table("thing", "id")));
        database = fresh();
    }

    @AfterEach
    void close() throws SQLException {
        database.close();
    }

    @Test
    void aDatabaseIsMadeAgainFromTheCopiesOfItsRows() throws Exception {
        execute("INSERT INTO thing VALUES ('sha256:1', 5, x'00ff'), ('name/with:all@signs', NULL, NULL)");
        copies.update(database, "thing", List.of("sha256:1", "name/with:all@signs", "not there"));

        assertThat(restored()).isEqualTo(rows(database)).hasSize(2);
    }

    @Test
    void copiesFollowTheRows() throws Exception {
        execute("INSERT INTO thing VALUES ('a', 1, NULL), ('b', 2, NULL)");
        copies.updateAll(database, 3);
        execute("UPDATE thing SET size = 7 WHERE id = 'a'");
        execute("DELETE FROM thing WHERE id = 'b'");
        copies.update(database, "thing", List.of("a", "b"));

        assertThat(restored()).isEqualTo(rows(database)).containsExactly("a 7 -");
        assertThat(copies.schemaVersion()).hasValue(3);
    }

    @Test
    void updateAllHealsWhatWasMissed() throws Exception {
        execute("INSERT INTO thing VALUES ('a', 1, NULL)");
        copies.updateAll(database, 1);
        execute("INSERT INTO thing VALUES ('b', 2, NULL)");
        execute("DELETE FROM thing WHERE id = 'a'");
        copies.updateAll(database, 1);

        assertThat(restored()).containsExactly("b 2 -");
    }

    @Test
    void aDamagedCopyCostsOnlyItsOwnRow() throws Exception {
        execute("INSERT INTO thing VALUES ('a', 1, NULL), ('b', 2, NULL), ('c', 3, NULL)");
        copies.updateAll(database, 1);
        Files.writeString(directory.resolve("copies/thing/b.json"), "");
        Files.writeString(directory.resolve("copies/thing/c.json"), "{\"id\": \"c\", \"other\": 1}");
        try (Connection next = fresh()) {
            RowCopies.Restored restored = copies.restore(next);

            assertThat(rows(next)).containsExactly("a 1 -");
            assertThat(restored.rows()).isEqualTo(1);
            assertThat(restored.problems()).hasSize(2).anyMatch(problem -> problem.contains("b.json"))
                    .anyMatch(problem -> problem.contains("c.json"));
        }
    }

    @Test
    void aVersionThatIsNoneIsAbsent() throws Exception {
        assertThat(copies.schemaVersion()).isEmpty();
        copies.updateAll(database, 3);
        Files.write(directory.resolve("copies/version"), new byte[]{(byte) 0xff, '\n'});
        assertThat(copies.schemaVersion()).isEmpty();
        copies.updateAll(database, 3);
        assertThat(copies.schemaVersion()).hasValue(3);
    }

    private List<String> restored() throws SQLException, IOException {
        try (Connection next = fresh()) {
            assertThat(copies.restore(next).problems()).isEmpty();
            return rows(next);
        }
    }

    private static Connection fresh() throws SQLException {
        Connection connection = DriverManager.getConnection("jdbc:sqlite::memory:");
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate(TABLE);
        }
        return connection;
    }

    private void execute(String sql) throws SQLException {
        try (Statement statement = database.createStatement()) {
            statement.executeUpdate(sql);
        }
    }

    private static List<String> rows(Connection connection) throws SQLException {
        List<String> rows = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(
                        "SELECT id, coalesce(size, '-'), coalesce(hex(data), '') FROM thing ORDER BY id")) {
            while (row.next()) {
                String data = row.getString(3);
                rows.add(row.getString(1) + " " + row.getString(2) + " " + (data.isEmpty() ? "-" : data));
            }
        }
        return rows;
    }
}
