package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.tomlj.Toml;
import org.tomlj.TomlArray;
import org.tomlj.TomlInvalidTypeException;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;

/**
 * The {@code [[registry]]} tables of containers-registries.conf(5), version 2, and of the drop-ins in the directory of
 * the same name with {@code .d} behind it. Short names and unqualified search are left out on purpose: the CRI's clients
 * expect {@code docker.io}. Keys that it does not know are ignored, as all readers of this format do.
 */
final class RegistriesConf {
    /** No file: every registry is its own and only endpoint. */
    static final RegistriesConf EMPTY = new RegistriesConf(List.of());

    private enum When {
        ALL, DIGEST_ONLY, TAG_ONLY;

        boolean applies(ImageReference reference) {
            return switch (this) {
                case ALL -> true;
                case DIGEST_ONLY -> reference.digest() != null;
                case TAG_ONLY -> reference.digest() == null;
            };
        }
    }

    private record Mirror(String location, boolean insecure, When when) {}

    private record Table(String prefix, @Nullable String location, boolean insecure, boolean blocked,
            List<Mirror> mirrors, String source) {}

    private final List<Table> tables;

    private RegistriesConf(List<Table> tables) {
        this.tables = List.copyOf(tables);
    }

    /**
     * Reads {@code file} and its drop-ins; where two tables have one prefix, the later wins. An absent file is empty.
     *
     * @throws ImageException INVALID, naming file and line
     */
    static RegistriesConf read(@Nullable Path file) throws ImageException {
        if (file == null) {
            return EMPTY;
        }
        Map<String, Table> byPrefix = new LinkedHashMap<>();
        for (Path each : files(file)) {
            for (Table table : tablesOf(each)) {
                byPrefix.put(table.prefix(), table);
            }
        }
        return new RegistriesConf(List.copyOf(byPrefix.values()));
    }

    /**
     * Where to ask for {@code reference}: the mirrors in their order, then the registry itself.
     *
     * @throws ImageException FORBIDDEN where the registry is blocked
     */
    List<Endpoint> endpoints(ImageReference reference) throws ImageException {
        Optional<Table> found = tables.stream().filter(table -> matches(reference, table.prefix()))
                .max(Comparator.comparingInt(table -> table.prefix().length()));
        if (found.isEmpty()) {
            return List.of(new Endpoint(reference.registry(), reference.repository(), false));
        }
        Table table = found.get();
        if (table.blocked()) {
            throw new ImageException(Kind.FORBIDDEN, "registry \"" + table.prefix() + "\" is blocked by "
                    + table.source() + "; " + reference + " cannot be pulled from it");
        }
        List<Endpoint> endpoints = new ArrayList<>();
        for (Mirror mirror : table.mirrors()) {
            if (mirror.when().applies(reference)) {
                endpoints.add(rewrite(reference, table.prefix(), mirror.location(), mirror.insecure()));
            }
        }
        endpoints.add(rewrite(reference, table.prefix(), table.location(), table.insecure()));
        return endpoints;
    }

    private static boolean matches(ImageReference reference, String prefix) {
        if (prefix.startsWith("*.")) {
            return reference.registry().endsWith(prefix.substring(1));
        }
        String whole = reference.canonical();
        return whole.startsWith(prefix)
                && (whole.length() == prefix.length() || "/:@".indexOf(whole.charAt(prefix.length())) >= 0);
    }

    private static Endpoint rewrite(ImageReference reference, String prefix, @Nullable String location,
            boolean insecure) {
        if (location == null) {
            return new Endpoint(reference.registry(), reference.repository(), insecure);
        }
        String name = reference.name();
        int matched = prefix.startsWith("*.")
                ? reference.registry().length()
                : Math.min(prefix.length(), name.length());
        String rewritten = location + name.substring(matched);
        int slash = rewritten.indexOf('/');
        return new Endpoint(rewritten.substring(0, slash), rewritten.substring(slash + 1), insecure);
    }

    private static List<Path> files(Path file) throws ImageException {
        List<Path> files = new ArrayList<>();
        if (Files.exists(file)) {
            files.add(file);
        }
        Path dropIns = file.resolveSibling(file.getFileName() + ".d");
        if (Files.isDirectory(dropIns)) {
            try (Stream<Path> entries = Files.list(dropIns)) {
                entries.filter(entry -> entry.toString().endsWith(".conf")).sorted().forEach(files::add);
            } catch (IOException e) {
                throw new ImageException(Kind.INVALID, "cannot list " + dropIns + ": " + e.getMessage(), e);
            }
        }
        return files;
    }

    private static List<Table> tablesOf(Path file) throws ImageException {
        try {
            var toml = Toml.parse(file);
            if (toml.hasErrors()) {
                var error = toml.errors().getFirst();
                throw invalid(file, error.position(), error.getMessage());
            }
            if (toml.get("registries") instanceof TomlTable) {
                throw invalid(file, toml.inputPositionOf("registries"),
                        "this is version 1 of the format; write [[registry]] tables");
            }
            List<Table> tables = new ArrayList<>();
            TomlArray registries = toml.getArrayOrEmpty("registry");
            for (int i = 0; i < registries.size(); i++) {
                tables.add(table(file, registries.getTable(i), registries.inputPositionOf(i)));
            }
            return tables;
        } catch (TomlInvalidTypeException e) {
            throw new ImageException(Kind.INVALID, file + ": " + e.getMessage(), e);
        } catch (IOException e) {
            throw e instanceof ImageException known
                    ? known
                    : new ImageException(Kind.INVALID, "cannot read " + file + ": " + e, e);
        }
    }

    private static Table table(Path file, TomlTable table, TomlPosition at) throws ImageException {
        String location = location(file, table, at);
        String prefix = Objects.requireNonNullElse(text(file, table, "prefix"), "");
        if (prefix.isEmpty()) {
            if (location == null) {
                throw invalid(file, at, "[[registry]] needs a location or a prefix");
            }
            prefix = location;
        } else if (location == null && !prefix.startsWith("*.")) {
            throw invalid(file, at, "[[registry]] with prefix \"" + prefix + "\" needs a location");
        }
        boolean digestOnly = flag(file, table, "mirror-by-digest-only");
        List<Mirror> mirrors = new ArrayList<>();
        TomlArray array = table.getArrayOrEmpty("mirror");
        for (int i = 0; i < array.size(); i++) {
            mirrors.add(mirror(file, array.getTable(i), array.inputPositionOf(i), digestOnly));
        }
        return new Table(prefix, location, flag(file, table, "insecure"), flag(file, table, "blocked"),
                mirrors,
                file + ":" + at.line());
    }

    private static Mirror mirror(Path file, TomlTable table, TomlPosition at, boolean digestOnly)
            throws ImageException {
        String location = location(file, table, at);
        if (location == null) {
            throw invalid(file, at, "[[registry.mirror]] needs a location");
        }
        String pull = text(file, table, "pull-from-mirror");
        if (pull != null && digestOnly) {
            throw invalid(file, table.inputPositionOf("pull-from-mirror"),
                    "pull-from-mirror and the registry's mirror-by-digest-only exclude each other");
        }
        When when = digestOnly ? When.DIGEST_ONLY : switch (pull) {
            case null -> When.ALL;
            case "", "all" -> When.ALL;
            case "digest-only" -> When.DIGEST_ONLY;
            case "tag-only" -> When.TAG_ONLY;
            default -> throw invalid(file, table.inputPositionOf("pull-from-mirror"),
                    "pull-from-mirror is \"" + pull + "\", expected all, digest-only or tag-only");
        };
        return new Mirror(location, flag(file, table, "insecure"), when);
    }

    private static @Nullable String location(Path file, TomlTable table, TomlPosition at)
            throws ImageException {
        String location = text(file, table, "location");
        if (location == null || location.isEmpty()) {
            return null;
        }
        if (location.contains("://")) {
            throw invalid(file, at, "location \"" + location
                    + "\" must have no scheme; write host[:port][/path], and insecure = true for plain http");
        }
        while (location.endsWith("/")) {
            location = location.substring(0, location.length() - 1);
        }
        return location;
    }

    private static @Nullable String text(Path file, TomlTable table, String key) throws ImageException {
        Object value = table.get(List.of(key));
        if (value == null || value instanceof String) {
            return (String) value;
        }
        throw invalid(file, table.inputPositionOf(List.of(key)), key + " must be a string");
    }

    private static boolean flag(Path file, TomlTable table, String key) throws ImageException {
        Object value = table.get(List.of(key));
        if (value == null || value instanceof Boolean) {
            return Boolean.TRUE.equals(value);
        }
        throw invalid(file, table.inputPositionOf(List.of(key)), key + " must be true or false");
    }

    private static ImageException invalid(Path file, @Nullable TomlPosition at, @Nullable String why) {
        return new ImageException(Kind.INVALID, file + (at == null ? "" : ":" + at.line()) + ": " + why);
    }
}
