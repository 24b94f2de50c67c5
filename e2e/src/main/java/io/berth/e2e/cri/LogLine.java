package io.berth.e2e.cri;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;

/**
 * One line of a container's log file: {@code TIME STREAM TAG TEXT}, as kubelet parses it.
 *
 * @param stream {@code stdout} or {@code stderr}
 * @param partial tagged P: the line goes on in the stream's next one
 * @param text without the line's end
 */
public record LogLine(Instant time, String stream, boolean partial, String text) {
    private static final int FIELDS = 4;

    /** All whole lines of {@code file}. */
    public static List<LogLine> read(Path file) throws IOException {
        String text = Files.readString(file, StandardCharsets.ISO_8859_1);
        return text.substring(0, text.lastIndexOf('\n') + 1).lines().map(LogLine::parse).toList();
    }

    /** Parses one line, or says what is wrong with it. */
    public static LogLine parse(String line) {
        String[] fields = line.split(" ", FIELDS);
        if (fields.length != FIELDS || !fields[1].matches("stdout|stderr") || !fields[2].matches("[FP]")) {
            throw new IllegalArgumentException("not a line of a CRI log: " + line);
        }
        return new LogLine(Instant.parse(fields[0]), fields[1], "P".equals(fields[2]), fields[3]);
    }
}
