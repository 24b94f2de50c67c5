package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;

/**
 * containers-registries.conf(5), version 2, and the drop-ins in the directory of the same name with {@code .d} behind it:
 * the {@code [[registry]]} tables, and the {@code [aliases]} of short names. {@code unqualified-search-registries} is
 * checked and not searched: the CRI's clients mean {@code docker.io} by a short name, and an image of the same name at the
 * first registry that happens to have one is not what they asked for. Keys that are not known are ignored, as all readers of
 * this format do.
 */
final class RegistriesConf {
    /** No file: every registry is its own and only endpoint. */
    static final RegistriesConf EMPTY = new RegistriesConf(List.of(), Map.of());

    private static final Pattern LOCATION = Pattern
            .compile("(?:[A-Za-z0-9][A-Za-z0-9._-]*|\\[[0-9A-Fa-f:.]+])"
                    + "(?::[0-9]{1,5})?(?:/[A-Za-z0-9._-]+)*");
    private static final Pattern PREFIX = Pattern
            .compile("(?:\\*\\.)?(?:[A-Za-z0-9][A-Za-z0-9._-]*|\\[[0-9A-Fa-f:.]+])"
                    + "(?::[0-9]{1,5})?(?:/[A-Za-z0-9._-]+)*(?::[\\w.-]+)?(?:@[a-z0-9]+:[0-9a-f]+)?");

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
    private final Map<String, ImageReference> aliases;

    private RegistriesConf(List<Table> tables, Map<String, ImageReference> aliases) {
        this.tables = List.copyOf(tables);
        this.aliases = Map.copyOf(aliases);
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
        Map<String, ImageReference> aliases = new HashMap<>();
        for (Path each : files(file)) {
            readInto(TomlFile.read(each), byPrefix, aliases);
        }
        return new RegistriesConf(List.copyOf(byPrefix.values()), aliases);
    }

    /** Reads one file and nothing beside it. */
    static RegistriesConf of(TomlFile file) throws ImageException {
        Map<String, Table> byPrefix = new LinkedHashMap<>();
        Map<String, ImageReference> aliases = new HashMap<>();
        readInto(file, byPrefix, aliases);
        return new RegistriesConf(List.copyOf(byPrefix.values()), aliases);
    }

    /**
     * The image that {@code text} names: by an alias where it is a short name that has one, else by the rules of
     * {@link ImageReference#parse}.
     */
    ImageReference name(String text) throws ImageException {
        ImageReference reference = ImageReference.parse(text);
        ImageReference alias = aliases.isEmpty() ? null : aliases.get(shortName(text));
        return alias == null
                ? reference
                : new ImageReference(alias.registry(), alias.repository(), reference.tag(),
                        reference.digest());
    }

    /** Whether a table speaks of {@code reference}. */
    boolean knows(ImageReference reference) {
        return table(reference).isPresent();
    }

    /**
     * Where to ask for {@code reference}: the mirrors in their order, then the registry itself.
     *
     * @throws ImageException FORBIDDEN where the registry is blocked
     */
    List<Endpoint> endpoints(ImageReference reference) throws ImageException {
        Optional<Table> found = table(reference);
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
                endpoints.add(rewrite(reference, table, mirror.location(), mirror.insecure()));
            }
        }
        endpoints.add(rewrite(reference, table, table.location(), table.insecure()));
        return endpoints;
    }

    private Optional<Table> table(ImageReference reference) {
        return tables.stream().filter(table -> matched(reference.canonical(), table.prefix()) >= 0)
                .max(Comparator.comparingInt(table -> table.prefix().length()));
    }

    /** How much of {@code name} the prefix covers, -1 where it does not fit; {@code *.} stands for any subdomain. */
    private static int matched(String name, String prefix) {
        int end;
        if (prefix.startsWith("*.")) {
            int start = name.indexOf(prefix.substring(1));
            if (start < 0 || name.substring(0, start).indexOf('/') >= 0) {
                return -1;
            }
            end = start + prefix.length() - 1;
        } else if (name.startsWith(prefix)) {
            end = prefix.length();
        } else {
            return -1;
        }
        return end == name.length() || "/:@".indexOf(name.charAt(end)) >= 0 ? end : -1;
    }

    private static Endpoint rewrite(ImageReference reference, Table table, @Nullable String location,
            boolean insecure) throws ImageException {
        if (location == null) {
            return new Endpoint(reference.registry(), reference.repository(), insecure);
        }
        String name = reference.name();
        String rewritten = location
                + name.substring(Math.min(matched(reference.canonical(), table.prefix()), name.length()));
        int slash = rewritten.indexOf('/');
        if (slash < 0) {
            throw new ImageException(Kind.INVALID, "location \"" + location + "\" of " + table.source()
                    + " leaves no repository for " + name + "; it needs a path, or its prefix a shorter one");
        }
        return new Endpoint(rewritten.substring(0, slash), rewritten.substring(slash + 1), insecure);
    }

    /** The part of {@code text} that aliases go by; a name with a registry is none of theirs, and has a slash. */
    private static String shortName(String text) {
        int end = text.indexOf('@') < 0 ? text.length() : text.indexOf('@');
        int colon = text.lastIndexOf(':', end - 1);
        return text.substring(0, colon > text.lastIndexOf('/', end - 1) ? colon : end);
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

    private static void readInto(TomlFile file, Map<String, Table> byPrefix,
            Map<String, ImageReference> aliases) throws ImageException {
        TomlTable root = file.root();
        if (root.get(List.of("registries")) instanceof TomlTable) {
            throw file.invalid(root.inputPositionOf(List.of("registries")),
                    "this is version 1 of the format; write [[registry]] tables");
        }
        for (String search : file.texts(root, "unqualified-search-registries")) {
            checkLocation(file, root, "unqualified-search-registries", search);
        }
        String mode = file.text(root, "short-name-mode");
        if (mode != null && !Set.of("", "enforcing", "permissive", "disabled").contains(mode)) {
            throw file.invalid(root, "short-name-mode", "must be enforcing, permissive or disabled");
        }
        for (TomlFile.Item each : file.tables(root, "registry")) {
            Table table = table(file, each.table(), each.at());
            byPrefix.put(table.prefix(), table);
        }
        TomlTable names = file.table(root, "aliases");
        if (names != null) {
            for (String name : names.keySet()) {
                String target = Objects.requireNonNullElse(file.text(names, name), "");
                if (target.isEmpty()) {
                    // As the format says: takes back what an earlier file said.
                    aliases.remove(name);
                } else {
                    aliases.put(name, alias(file, names, name, target));
                }
            }
        }
    }

    private static ImageReference alias(TomlFile file, TomlTable aliases, String name, String target)
            throws ImageException {
        try {
            ImageReference reference = ImageReference.parse(target);
            boolean bare = reference.digest() == null && "latest".equals(reference.tag())
                    && !target.endsWith(":latest");
            if (bare && target.startsWith(reference.registry() + "/")) {
                return reference;
            }
        } catch (ImageException e) {
            throw file.invalid(aliases, name, "is an alias of what is no image name: " + e.getMessage());
        }
        throw file.invalid(aliases, name,
                "must be an alias of a name with its registry and without a tag or digest");
    }

    private static Table table(TomlFile file, TomlTable table, @Nullable TomlPosition at)
            throws ImageException {
        String location = location(file, table);
        String prefix = Objects.requireNonNullElse(file.text(table, "prefix"), "").replaceAll("/+$", "");
        if (prefix.isEmpty()) {
            if (location == null) {
                throw file.invalid(at, "[[registry]] needs a location or a prefix");
            }
            prefix = location;
        } else if (location == null && !prefix.startsWith("*.")) {
            throw file.invalid(at, "[[registry]] with prefix \"" + prefix + "\" needs a location");
        }
        if (!PREFIX.matcher(prefix).matches()) {
            throw file.invalid(table, "prefix", "is no host[:port][/path], nor one with *. before it");
        }
        boolean digestOnly = file.flag(table, "mirror-by-digest-only");
        List<Mirror> mirrors = new ArrayList<>();
        for (TomlFile.Item mirror : file.tables(table, "mirror")) {
            mirrors.add(mirror(file, mirror.table(), mirror.at(), digestOnly));
        }
        return new Table(prefix, location, file.flag(table, "insecure"), file.flag(table, "blocked"), mirrors,
                file.path() + (at == null ? "" : ":" + at.line()));
    }

    private static Mirror mirror(TomlFile file, TomlTable table, @Nullable TomlPosition at,
            boolean digestOnly) throws ImageException {
        String location = location(file, table);
        if (location == null) {
            throw file.invalid(at, "[[registry.mirror]] needs a location");
        }
        String pull = file.text(table, "pull-from-mirror");
        if (pull != null && digestOnly) {
            throw file.invalid(table, "pull-from-mirror",
                    "and the registry's mirror-by-digest-only exclude each other");
        }
        When when = digestOnly ? When.DIGEST_ONLY : switch (pull) {
            case null -> When.ALL;
            case "", "all" -> When.ALL;
            case "digest-only" -> When.DIGEST_ONLY;
            case "tag-only" -> When.TAG_ONLY;
            default -> throw file.invalid(table, "pull-from-mirror",
                    "is \"" + pull + "\", expected all, digest-only or tag-only");
        };
        return new Mirror(location, file.flag(table, "insecure"), when);
    }

    private static @Nullable String location(TomlFile file, TomlTable table) throws ImageException {
        String location = Objects.requireNonNullElse(file.text(table, "location"), "").replaceAll("/+$", "");
        if (location.isEmpty()) {
            return null;
        }
        checkLocation(file, table, "location", location);
        return location;
    }

    /** A host with or without a path: what will stand in a URL. */
    private static void checkLocation(TomlFile file, TomlTable table, String key, String text)
            throws ImageException {
        if (text.contains("://")) {
            throw file.invalid(table, key, "\"" + text
                    + "\" must have no scheme; write host[:port][/path], and insecure = true for plain http");
        }
        if (!LOCATION.matcher(text).matches()) {
            throw file.invalid(table, key, "is no host[:port][/path]");
        }
    }
}
