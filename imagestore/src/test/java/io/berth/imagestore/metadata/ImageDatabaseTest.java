package io.berth.imagestore.metadata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.copies.RowCopies;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageDatabaseTest {
    private static final String DIFF_ID = "sha256:" + "1".repeat(64);
    private static final String ID = "sha256:" + "2".repeat(64);

    /** As the first version of Berth made it; this text never changes. */
    private static final String VERSION_1 = """
        CREATE TABLE schema_version (version INTEGER NOT NULL);
        CREATE TABLE layers (
          diff_id TEXT PRIMARY KEY, directory TEXT NOT NULL UNIQUE, disk_bytes INTEGER NOT NULL,
          inodes INTEGER NOT NULL, implied_directories TEXT NOT NULL, root_opaque INTEGER NOT NULL) WITHOUT ROWID;
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
        INSERT INTO schema_version VALUES (1);
        INSERT INTO layers VALUES ('%1$s', '1', 4096, 2, '[]', 0);
        INSERT INTO images VALUES ('%2$s', 'sha256:m', '{}',
          '{"os": "linux", "rootfs": {"type": "layers", "diff_ids": ["%1$s"]}}', 17, '["%1$s"]', '[]',
          '2026-01-02T03:04:05Z');
        INSERT INTO image_names VALUES ('docker.io/library/app:1', '%2$s');
        INSERT INTO snapshots VALUES ('container', '%2$s', '2', '["%1$s"]');
        """.formatted(
            DIFF_ID, ID);

    @TempDir
    Path directory;

    private Path file;

    @BeforeEach
    void makeDirectories() throws IOException {
        file = directory.resolve("images.db");
        Files.createDirectories(directory.resolve("layers/1"));
        Files.createDirectories(directory.resolve("snapshots/2"));
    }

    @Test
    void theStoreOfTheVersionBeforeIsTakenOver() throws Exception {
        sql(VERSION_1);
        for (int i = 0; i < 2; i++) {
            try (Metadata metadata = open()) {
                assertWhole(metadata.catalog());
            }
        }
    }

    @Test
    void aNewerOneIsRefusedAndIsNoDamage() throws Exception {
        sql(VERSION_1);
        sql("UPDATE schema_version SET version = 99");
        assertThatThrownBy(this::open).isInstanceOf(ImageException.class)
                .hasMessageContaining("schema version 99").hasMessageContaining("newer Berth");
        assertThatThrownBy(() -> new ImageDatabase(file).damage()).hasMessageContaining("newer Berth");
    }

    @Test
    void aLostOrEmptyFileIsRefusedAndMadeAgainFromItsCopies() throws Exception {
        sql(VERSION_1);
        open().close();
        Files.write(file, new byte[0]);
        assertThatThrownBy(this::open).hasMessageContaining("it is empty, while")
                .hasMessageContaining("1 images and 1 layers").hasMessageContaining("berth recover");
        Files.delete(file);
        assertThatThrownBy(this::open).hasMessageContaining("it is not there, while");

        RowCopies.Restored restored = new ImageDatabase(file).restore();

        assertThat(restored.problems()).isEmpty();
        assertThat(new ImageDatabase(file).damage()).isEmpty();
        try (Metadata metadata = open()) {
            assertWhole(metadata.catalog());
        }
    }

    @Test
    void copiesFollowEveryChange() throws Exception {
        sql(VERSION_1);
        try (Metadata metadata = open()) {
            metadata.removeSnapshot("container");
            metadata.removeImage(ID);
        }
        Files.delete(file);

        new ImageDatabase(file).restore();

        try (Metadata metadata = open()) {
            assertThat(metadata.catalog().images()).isEmpty();
            assertThat(metadata.catalog().names()).isEmpty();
            assertThat(metadata.catalog().snapshots()).isEmpty();
            assertThat(metadata.catalog().layers()).containsOnlyKeys(DIFF_ID);
        }
    }

    @Test
    void whatIsNotOnDiskIsNotRestoredAndNamed() throws Exception {
        sql(VERSION_1);
        open().close();
        Files.delete(file);
        Files.delete(directory.resolve("layers/1"));

        RowCopies.Restored restored = new ImageDatabase(file).restore();

        assertThat(restored.problems()).hasSize(2).anyMatch(problem -> problem.contains("image " + ID))
                .anyMatch(problem -> problem.contains("container"));
        try (Metadata metadata = open()) {
            assertThat(metadata.catalog().images()).isEmpty();
            assertThat(metadata.catalog().layers()).isEmpty();
        }
    }

    @Test
    void aDamagedValueIsDamage() throws Exception {
        sql(VERSION_1);
        sql("UPDATE layers SET implied_directories = '[\"'");

        assertThat(new ImageDatabase(file).damage()).hasValueSatisfying(
                damage -> assertThat(damage).contains("damaged value"));
        assertThatThrownBy(this::open).hasMessageContaining("berth recover");
    }

    private static void assertWhole(Catalog catalog) {
        assertThat(catalog.layers()).containsOnlyKeys(DIFF_ID);
        assertThat(catalog.images()).containsOnlyKeys(ID);
        assertThat(catalog.images().get(ID)).satisfies(
                stored -> assertThat(stored.image().repoTags()).containsExactly("docker.io/library/app:1"));
        assertThat(catalog.snapshots()).containsOnlyKeys("container");
    }

    private Metadata open() throws ImageException {
        return Metadata.open(file, name -> false);
    }

    private void sql(String script) throws SQLException {
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
                Statement statement = connection.createStatement()) {
            statement.executeUpdate(script);
        }
    }
}
