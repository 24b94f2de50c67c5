package io.berth.imagestore.record;

import io.berth.imagestore.ImageException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Where files are now that a later entry of their archive has replaced. Hardly any layer has one. */
final class DisplacedFiles {
    private final Map<String, List<Event>> events = new HashMap<>();

    private record Event(long item, int index) {}

    private DisplacedFiles() {}

    /** Reads all of {@code record}. */
    static DisplacedFiles of(RecordReader record) throws ImageException {
        var files = new DisplacedFiles();
        RecordItem item;
        for (long number = 1; (item = record.next()) != null; number++) {
            if (item instanceof RecordItem.Displaced displaced) {
                files.events.computeIfAbsent(displaced.path(), path -> new ArrayList<>())
                        .add(new Event(number, displaced.index()));
            }
        }
        return files;
    }

    /**
     * Where the file is, among the displaced ones, that the record's item {@code number} made at {@code path}.
     *
     * @return null where it is still in its place
     */
    @Nullable
    String placeOf(long number, String path) {
        if (events.isEmpty()) {
            return null;
        }
        String place = null;
        long first = Long.MAX_VALUE;
        for (int end = path.length(); end > 0; end = path.lastIndexOf('/', end - 1)) {
            for (Event event : events.getOrDefault(path.substring(0, end), List.of())) {
                if (event.item > number && event.item < first) {
                    first = event.item;
                    place = event.index + path.substring(end);
                }
            }
        }
        return place;
    }
}
