package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.tomlj.Toml;
import org.tomlj.TomlArray;
import org.tomlj.TomlParseError;
import org.tomlj.TomlParseResult;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;

/** A TOML file of other runtimes, read value by value; what is wrong is told with file and line, and never quoted. */
final class TomlFile {
    private static final int MAX_BYTES = 1 << 20;

    private final Path path;
    private final TomlTable root;

    private TomlFile(Path path, TomlTable root) {
        this.path = path;
        this.root = root;
    }

    /** @throws ImageException INVALID, naming file and line */
    static TomlFile read(Path path) throws ImageException {
        try {
            if (Files.size(path) > MAX_BYTES) {
                throw new ImageException(Kind.INVALID,
                        path + " has more than " + MAX_BYTES + " bytes, which no such file needs");
            }
            return parse(path, Files.readString(path, StandardCharsets.UTF_8));
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw new ImageException(Kind.INVALID, "cannot read " + path + ": " + e, e);
        }
    }

    /** Reads {@code text} as the content of {@code path}. */
    static TomlFile parse(Path path, String text) throws ImageException {
        TomlParseResult toml;
        try {
            toml = Toml.parse(text);
        } catch (StackOverflowError e) {
            // The parser descends as deep as brackets are nested, and knows no limit of its own.
            throw new ImageException(Kind.INVALID, path + ": brackets are nested too deeply", e);
        }
        if (toml.hasErrors()) {
            TomlParseError error = toml.errors().getFirst();
            throw invalid(path, error.position(), "this is not valid TOML, at column "
                    + error.position().column());
        }
        return new TomlFile(path, toml);
    }

    Path path() {
        return path;
    }

    TomlTable root() {
        return root;
    }

    /** The string at {@code key}, null where absent. */
    @Nullable
    String text(TomlTable table, String key) throws ImageException {
        Object value = value(table, key);
        if (value == null || value instanceof String) {
            return (String) value;
        }
        throw invalid(table, key, "must be a string");
    }

    /** The boolean at {@code key}, false where absent. */
    boolean flag(TomlTable table, String key) throws ImageException {
        Object value = value(table, key);
        if (value == null || value instanceof Boolean) {
            return Boolean.TRUE.equals(value);
        }
        throw invalid(table, key, "must be true or false");
    }

    /** The string, or the strings, at {@code key}; empty where absent. */
    List<String> texts(TomlTable table, String key) throws ImageException {
        List<String> texts = new ArrayList<>();
        if (value(table, key) instanceof String single) {
            texts.add(single);
            return texts;
        }
        for (Object item : list(table, key)) {
            if (!(item instanceof String text)) {
                throw invalid(table, key, "must be a string or a list of strings");
            }
            texts.add(text);
        }
        return texts;
    }

    /** The elements at {@code key}, empty where absent. */
    List<Object> list(TomlTable table, String key) throws ImageException {
        Object value = value(table, key);
        if (value == null) {
            return List.of();
        }
        if (value instanceof TomlArray array) {
            return array.toList();
        }
        throw invalid(table, key, "must be a list");
    }

    /** One of the tables of an array, and where it starts. */
    record Item(TomlTable table, @Nullable TomlPosition at) {}

    /** The tables of {@code [[key]]}, empty where absent. */
    List<Item> tables(TomlTable table, String key) throws ImageException {
        List<Item> tables = new ArrayList<>();
        if (value(table, key) instanceof TomlArray array) {
            for (int i = 0; i < array.size(); i++) {
                if (!(array.get(i) instanceof TomlTable each)) {
                    throw invalid(table, key, "must be written as [[" + key + "]] tables");
                }
                tables.add(new Item(each, array.inputPositionOf(i)));
            }
        } else if (value(table, key) != null) {
            throw invalid(table, key, "must be written as [[" + key + "]] tables");
        }
        return tables;
    }

    /** The table at {@code key}, null where absent. */
    @Nullable
    TomlTable table(TomlTable table, String key) throws ImageException {
        Object value = value(table, key);
        if (value == null || value instanceof TomlTable) {
            return (TomlTable) value;
        }
        throw invalid(table, key, "must be a table");
    }

    ImageException invalid(TomlTable table, String key, String why) {
        return invalid(path, table.inputPositionOf(List.of(key)), key + " " + why);
    }

    ImageException invalid(@Nullable TomlPosition at, String why) {
        return invalid(path, at, why);
    }

    private static @Nullable Object value(TomlTable table, String key) {
        return table.get(List.of(key));
    }

    private static ImageException invalid(Path path, @Nullable TomlPosition at, String why) {
        return new ImageException(Kind.INVALID, path + (at == null ? "" : ":" + at.line()) + ": " + why);
    }
}
