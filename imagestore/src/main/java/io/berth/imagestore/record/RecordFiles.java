package io.berth.imagestore.record;

import java.nio.file.Path;

/**
 * Where a layer's record is.
 *
 * @param record the record
 * @param displaced directory of files that the layer's archive has and the layer does not, as a later entry took their place;
 *     absent where there are none
 */
public record RecordFiles(Path record, Path displaced) {
    /** End of a record's file name. */
    public static final String RECORD = ".record";
    /** End of the name of the directory beside it. */
    public static final String DISPLACED = ".displaced";

    /** The files of the layer {@code name} in {@code directory}. */
    public static RecordFiles in(Path directory, String name) {
        return new RecordFiles(directory.resolve(name + RECORD), directory.resolve(name + DISPLACED));
    }

    /** The files of a layer that is being unpacked into {@code layer}: beside it. */
    public static RecordFiles beside(Path layer) {
        String name = String.valueOf(layer.getFileName());
        return new RecordFiles(layer.resolveSibling(name + RECORD),
                layer.resolveSibling(name + DISPLACED));
    }

    /** The layer that the file {@code name} belongs to. */
    public static String layerOf(String name) {
        for (String end : new String[]{RECORD, DISPLACED}) {
            if (name.endsWith(end)) {
                return name.substring(0, name.length() - end.length());
            }
        }
        return name;
    }
}
