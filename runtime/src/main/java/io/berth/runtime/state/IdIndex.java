package io.berth.runtime.state;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import org.jspecify.annotations.Nullable;

/** Objects by id, found by the whole id or by a prefix that only one of them has, as crictl cuts ids short. */
public final class IdIndex<T> {
    private final ConcurrentSkipListMap<String, T> byId = new ConcurrentSkipListMap<>();

    public void put(String id, T value) {
        byId.put(id, value);
    }

    public void remove(String id) {
        byId.remove(id);
    }

    /** Everything at this moment, in no useful order. */
    public Collection<T> values() {
        return List.copyOf(byId.values());
    }

    /** The object of {@code idOrPrefix}; empty where none, or more than one, has it. The empty prefix finds nothing. */
    public Optional<T> find(String idOrPrefix) {
        if (idOrPrefix.isEmpty()) {
            return Optional.empty();
        }
        Map.@Nullable Entry<String, T> first = byId.ceilingEntry(idOrPrefix);
        if (first == null || !first.getKey().startsWith(idOrPrefix)) {
            return Optional.empty();
        }
        if (first.getKey().equals(idOrPrefix)) {
            return Optional.of(first.getValue());
        }
        @Nullable
        String second = byId.higherKey(first.getKey());
        boolean ambiguous = second != null && second.startsWith(idOrPrefix);
        return ambiguous ? Optional.empty() : Optional.of(first.getValue());
    }
}
