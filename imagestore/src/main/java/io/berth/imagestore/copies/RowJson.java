package io.berth.imagestore.copies;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A row as a JSON object of its columns: text, number, null, or {@code {"base64": ...}} for a blob. */
final class RowJson {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String BLOB = "base64";

    private RowJson() {}

    /** The row that {@code row} is at. */
    static byte[] of(ResultSet row) throws SQLException {
        ResultSetMetaData columns = row.getMetaData();
        ObjectNode object = JSON.createObjectNode();
        for (int i = 1; i <= columns.getColumnCount(); i++) {
            String name = columns.getColumnName(i);
            switch (row.getObject(i)) {
                case null -> object.putNull(name);
                case byte[] blob ->
                    object.putObject(name).put(BLOB, Base64.getEncoder().encodeToString(blob));
                case Number number -> object.put(name, number.longValue());
                case Object text -> object.put(name, text.toString());
            }
        }
        try {
            return JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(object);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("an object of texts and numbers is always JSON", e);
        }
    }

    /**
     * Inserts the row into {@code table}.
     *
     * @throws IllegalArgumentException where {@code json} is no row
     */
    static void insert(Connection connection, String table, byte[] json) throws SQLException, IOException {
        JsonNode object = JSON.readTree(json);
        if (!(object instanceof ObjectNode row) || row.isEmpty()) {
            throw new IllegalArgumentException("it is empty, or no JSON object");
        }
        List<String> names = new ArrayList<>();
        List<@Nullable Object> values = new ArrayList<>();
        for (Map.Entry<String, JsonNode> column : row.properties()) {
            if (!column.getKey().matches("[a-z_]+")) {
                throw new IllegalArgumentException("it has a column " + column.getKey());
            }
            names.add(column.getKey());
            values.add(value(column.getValue()));
        }
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " ("
                + String.join(", ", names) + ") VALUES ("
                + String.join(", ", Collections.nCopies(names.size(), "?")) + ")")) {
            for (int i = 0; i < values.size(); i++) {
                insert.setObject(i + 1, values.get(i));
            }
            insert.executeUpdate();
        }
    }

    private static @Nullable Object value(JsonNode node) {
        if (node.isNull()) {
            return null;
        }
        if (node.isIntegralNumber()) {
            return node.longValue();
        }
        if (node.isTextual()) {
            return node.textValue();
        }
        if (node.isObject() && node.path(BLOB).isTextual()) {
            return Base64.getDecoder().decode(node.path(BLOB).textValue());
        }
        throw new IllegalArgumentException("it has a value that is no text, number or blob");
    }
}
