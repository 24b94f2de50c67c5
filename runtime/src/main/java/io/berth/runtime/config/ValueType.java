package io.berth.runtime.config;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.tomlj.TomlArray;
import org.tomlj.TomlTable;

/**
 * What a key's value may be, and how it is read from TOML and from text (environment, flags).
 *
 * @param expected what the operator should have written, for error messages
 * @param fromToml reads a value that tomlj parsed
 * @param fromText reads a value of the environment or of a flag
 */
record ValueType<T>(String expected, Reader<Object, T> fromToml, Reader<String, T> fromText) {

    /** Reads one form of a value; throws {@link IllegalArgumentException} that says what is wrong with it. */
    @FunctionalInterface
    interface Reader<F, T> {
        T read(F from);
    }

    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})(ms|s|m|h)");
    private static final Pattern SIZE = Pattern.compile("(\\d{1,15})(|KiB|MiB|GiB)");

    static final ValueType<String> STRING = text("a string", Function.identity());

    static final ValueType<Boolean> BOOLEAN = new ValueType<>("true or false",
            value -> as(Boolean.class, value), ValueType::booleanOf);

    /** A file or directory, absolute. */
    static final ValueType<Path> PATH = text("an absolute path", ValueType::absolute);

    /** A file, absolute; an empty string for none. */
    static final ValueType<Optional<Path>> OPTIONAL_PATH = text("an absolute path, or \"\"",
            value -> value.isEmpty() ? Optional.empty() : Optional.of(absolute(value)));

    static final ValueType<Duration> DURATION_TEXT = text("a duration such as \"30s\", \"500ms\" or \"2m\"",
            ValueType::duration);

    static final ValueType<List<String>> STRINGS = list("strings", Function.identity());

    static final ValueType<List<Path>> PATHS = list("absolute paths", ValueType::absolute);

    /** Bytes: a number, or text with a binary unit. */
    static final ValueType<Long> SIZE_BYTES = new ValueType<>(
            "a size such as \"16MiB\", or a number of bytes",
            value -> switch (value) {
                case Long number when number >= 0 -> number;
                case String text -> size(text);
                default -> throw wrong(value);
            }, ValueType::size);

    static ValueType<Long> number(long min, long max) {
        String expected = max == Long.MAX_VALUE
                ? "a whole number of at least " + min
                : "a whole number from " + min + " to " + max;
        return new ValueType<>(expected,
                value -> inRange(as(Long.class, value), min, max),
                text -> inRange(longOf(text), min, max));
    }

    static ValueType<String> oneOf(String... words) {
        List<String> known = List.of(words);
        return text("one of \"" + String.join("\", \"", words) + "\"", value -> {
            if (!known.contains(value)) {
                throw new IllegalArgumentException("it is \"" + value + "\"");
            }
            return value;
        });
    }

    /** A type whose TOML form is a string. */
    static <T> ValueType<T> text(String expected, Function<String, T> read) {
        return new ValueType<>(expected, value -> read.apply(as(String.class, value)),
                read::apply);
    }

    private static <T> ValueType<List<T>> list(String elements, Function<String, T> read) {
        return new ValueType<>("a list of " + elements, value -> {
            var parsed = new ArrayList<T>();
            for (Object element : as(TomlArray.class, value).toList()) {
                parsed.add(read.apply(as(String.class, element)));
            }
            return List.copyOf(parsed);
        }, text -> text.isBlank()
                ? List.of()
                : List.of(text.split(",")).stream().map(String::strip).map(read).toList());
    }

    private static <T> T as(Class<T> type, Object value) {
        if (!type.isInstance(value)) {
            throw wrong(value);
        }
        return type.cast(value);
    }

    private static IllegalArgumentException wrong(Object value) {
        return new IllegalArgumentException("it is " + switch (value) {
            case String s -> "the string \"" + s + "\"";
            case Boolean b -> b.toString();
            case Long n -> "the number " + n;
            case Double d -> "the number " + d;
            case TomlArray a -> "a list";
            case TomlTable t -> "a table";
            default -> "a date or time";
        });
    }

    private static Path absolute(String text) {
        try {
            Path path = Path.of(text);
            if (path.isAbsolute()) {
                return path.normalize();
            }
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException("it is \"" + text + "\": " + e.getReason(), e);
        }
        throw new IllegalArgumentException("it is \"" + text + "\"");
    }

    private static Duration duration(String text) {
        Matcher matcher = DURATION.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("it is \"" + text + "\"");
        }
        long amount = Long.parseLong(matcher.group(1));
        if (amount == 0) {
            throw new IllegalArgumentException("it is \"" + text + "\", which leaves no time at all");
        }
        return switch (matcher.group(2)) {
            case "ms" -> Duration.ofMillis(amount);
            case "s" -> Duration.ofSeconds(amount);
            case "m" -> Duration.ofMinutes(amount);
            default -> Duration.ofHours(amount);
        };
    }

    private static long size(String text) {
        Matcher matcher = SIZE.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("it is \"" + text + "\"");
        }
        int shift = switch (matcher.group(2)) {
            case "KiB" -> 10;
            case "MiB" -> 20;
            case "GiB" -> 30;
            default -> 0;
        };
        long amount = Long.parseLong(matcher.group(1));
        if (amount > Long.MAX_VALUE >> shift) {
            throw new IllegalArgumentException("it is \"" + text + "\", which is too large");
        }
        return amount << shift;
    }

    private static long inRange(long number, long min, long max) {
        if (number < min || number > max) {
            throw new IllegalArgumentException("it is " + number);
        }
        return number;
    }

    private static long longOf(String text) {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("it is \"" + text + "\"", e);
        }
    }

    private static boolean booleanOf(String text) {
        return switch (text.toLowerCase(Locale.ROOT)) {
            case "true", "1" -> true;
            case "false", "0" -> false;
            default -> throw new IllegalArgumentException("it is \"" + text + "\"");
        };
    }
}
