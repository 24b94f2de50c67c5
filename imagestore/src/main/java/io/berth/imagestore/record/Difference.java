package io.berth.imagestore.record;

import java.nio.charset.StandardCharsets;

/**
 * Something that a layer has otherwise than its record says.
 *
 * @param path where, for people, with a slash first; {@code "/"} for the layer's root, empty for the layer as a whole
 * @param what is wrong there, such as {@code missing} or {@code mode is 0644, recorded 0755}
 */
public record Difference(String path, String what) {
    /** Of the file whose path in the record is {@code path}. */
    static Difference at(String path, String what) {
        return new Difference("/" + new String(path.getBytes(StandardCharsets.ISO_8859_1),
                StandardCharsets.UTF_8), what);
    }

    static Difference ofLayer(String what) {
        return new Difference("", what);
    }

    /** One line. */
    @Override
    public String toString() {
        return path.isEmpty() ? what : path.replace("\n", "\\n") + ": " + what;
    }
}
