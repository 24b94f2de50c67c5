package io.berth.runtime.config;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.tomlj.Toml;
import org.tomlj.TomlParseResult;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;

/** Reads the main file and the {@code conf.d} beside it into {@link Settings}. */
final class TomlFiles {
    private final Settings settings;

    TomlFiles(Settings settings) {
        this.settings = settings;
    }

    /** The main file (absent: nothing) and then {@code conf.d/*.toml} beside it, by name. */
    void read(Path main) {
        if (Files.exists(main)) {
            readFile(main);
        }
        Path dropIns = main.resolveSibling("conf.d");
        if (Files.isDirectory(dropIns)) {
            dropIns(dropIns).forEach(this::readFile);
        }
    }

    private List<Path> dropIns(Path directory) {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, "*.toml")) {
            List<Path> files = new ArrayList<>();
            entries.forEach(files::add);
            return files.stream().sorted().toList();
        } catch (IOException e) {
            settings.problem(directory.toString(), "cannot be listed: " + e);
            return List.of();
        }
    }

    private void readFile(Path file) {
        String text;
        try {
            text = Files.readString(file, StandardCharsets.UTF_8);
        } catch (IOException e) {
            settings.problem(file.toString(), "cannot be read: " + e);
            return;
        }
        readText(file.toString(), text);
    }

    /** Reads TOML text; {@code name} stands for the file in messages. */
    void readText(String name, String text) {
        TomlParseResult parsed = Toml.parse(text);
        if (parsed.hasErrors()) {
            parsed.errors()
                    .forEach(e -> settings.problem(at(name, e.position()), "not TOML: " + e.getMessage()));
            return;
        }
        new OneFile(name, parsed).readTable(parsed, List.of());
    }

    private static String at(String name, TomlPosition position) {
        return name + ":" + position.line() + ":" + position.column();
    }

    /** The walk through one file. Positions are known by the path from its top. */
    private final class OneFile {
        private final String name;
        private final TomlParseResult top;

        OneFile(String name, TomlParseResult top) {
            this.name = name;
            this.top = top;
        }

        void readTable(TomlTable table, List<String> path) {
            for (String key : table.keySet()) {
                List<String> below = Stream.concat(path.stream(), Stream.of(key)).toList();
                Object value = table.get(List.of(key));
                if (value != null) {
                    readValue(below, value);
                }
            }
        }

        private void readValue(List<String> path, Object value) {
            Optional<ConfigKey<?>> key = ConfigKey.ALL.stream().filter(k -> k.names(path)).findFirst();
            if (key.isPresent()) {
                settings.set(key.get(), path, key.get().type().fromToml(), value, origin(path));
            } else if (ConfigKey.ALL.stream().noneMatch(k -> k.isBelow(path))) {
                settings.problem(origin(path), unknown(path, value));
            } else if (value instanceof TomlTable table) {
                readTable(table, path);
            } else {
                settings.problem(origin(path),
                        String.join(".", path) + " must be a table, as in [" + tableName(path) + "]");
            }
        }

        private String origin(List<String> path) {
            TomlPosition position = top.inputPositionOf(path);
            return position == null ? name : at(name, position);
        }

        private String tableName(List<String> path) {
            return path.size() == 1 && path.getFirst().equals("runtimes")
                    ? "runtimes.runc"
                    : String.join(".", path);
        }

        private String unknown(List<String> path, Object value) {
            String kind = value instanceof TomlTable ? "unknown table " : "unknown key ";
            return kind + String.join(".", path)
                    + ConfigKey.nearest(path).map(near -> "; did you mean " + near + "?")
                            .orElse("; \"berth config default\" prints every key");
        }
    }
}
