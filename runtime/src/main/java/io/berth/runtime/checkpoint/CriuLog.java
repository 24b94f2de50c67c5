package io.berth.runtime.checkpoint;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What criu says in {@code dump.log} or {@code restore.log} about why it failed. */
public final class CriuLog {
    private static final int MAX_ERRORS = 3;
    /** {@code (00.028523) Error (criu/files.c:12): text}, with a pid before the text where it is another process's. */
    private static final Pattern ERROR = Pattern
            .compile("^(?:\\([0-9.]+\\)\\s+)?(?:[0-9]+: )?Error \\([^)]*\\): (.*)$");
    /** It goes on after these. */
    private static final List<String> HARMLESS = List.of("rlimit: Can't setup RLIMIT_NOFILE",
            "CRIU was built without");

    private CriuLog() {}

    /** The last errors, first to last; empty where the file tells of none or is absent. */
    public static String reason(Path log) {
        try {
            return Files.isReadable(log)
                    ? reason(new String(Files.readAllBytes(log), StandardCharsets.ISO_8859_1))
                    : "";
        } catch (IOException e) {
            return "";
        }
    }

    /** The same of a log's text. */
    public static String reason(String text) {
        List<String> errors = text.lines().flatMap(CriuLog::error).distinct().toList();
        return errors.subList(Math.max(0, errors.size() - MAX_ERRORS), errors.size()).stream()
                .collect(Collectors.joining("; "));
    }

    private static Stream<String> error(String line) {
        Matcher matcher = ERROR.matcher(line);
        return matcher.matches() && HARMLESS.stream().noneMatch(matcher.group(1)::startsWith)
                ? Stream.of(matcher.group(1).strip())
                : Stream.empty();
    }
}
