package io.berth.imagestore.metadata;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads the whole database. */
final class CatalogReader {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final TypeReference<List<String>> STRINGS = new TypeReference<>() {
    };
    private static final TypeReference<Set<String>> STRING_SET = new TypeReference<>() {
    };
    private static final TypeReference<List<DirectoryAttributes>> DIRECTORIES = new TypeReference<>() {
    };

    private final Connection connection;

    CatalogReader(Connection connection) {
        this.connection = connection;
    }

    /** Everything, with no image pinned. */
    Catalog read() throws SQLException, ImageException {
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

    private static StoredImage image(ResultSet row, Map<String, String> names)
            throws SQLException, ImageException {
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
        return new StoredImage(image, read(row.getString("directories"), DIRECTORIES));
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
