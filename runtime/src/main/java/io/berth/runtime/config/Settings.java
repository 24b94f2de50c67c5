package io.berth.runtime.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import org.jspecify.annotations.Nullable;

/** Values that somebody set, later ones over earlier ones, and the problems found on the way. */
final class Settings {
    private final Map<List<String>, Setting> values = new LinkedHashMap<>();
    private final List<String> problems = new ArrayList<>();

    /** @param origin where it was set, for messages */
    private record Setting(Object value, String origin) {}

    /** Sets {@code path}, an instance of {@code key}. */
    <F> void set(ConfigKey<?> key, List<String> path, ValueType.Reader<F, ?> reader, F written,
            String origin) {
        try {
            values.put(List.copyOf(path), new Setting(reader.read(written), origin));
        } catch (IllegalArgumentException e) {
            problem(origin,
                    String.join(".", path) + " must be " + key.type().expected() + "; " + e.getMessage());
        }
    }

    /** The value of a key that has one instance. */
    <T> T get(ConfigKey<T> key) {
        return get(key, List.of(key.name().split("\\.")));
    }

    /** The value of {@code path}, an instance of {@code key}. */
    @SuppressWarnings("unchecked") // set() stores what the key's own type read
    <T> T get(ConfigKey<T> key, List<String> path) {
        @Nullable
        Setting setting = values.get(path);
        return setting == null ? key.defaultValue() : (T) setting.value;
    }

    /** Where {@code key} was set. */
    String origin(ConfigKey<?> key) {
        @Nullable
        Setting setting = values.get(List.of(key.name().split("\\.")));
        return setting == null ? "default" : setting.origin;
    }

    /** The second part of every path below {@code table} that was set. */
    SequencedSet<String> namesBelow(String table) {
        SequencedSet<String> names = new LinkedHashSet<>();
        for (List<String> path : values.keySet()) {
            if (path.size() > 2 && path.getFirst().equals(table)) {
                names.add(path.get(1));
            }
        }
        return names;
    }

    void problem(String origin, String text) {
        problems.add(origin + ": " + text);
    }

    List<String> problems() {
        return List.copyOf(problems);
    }
}
