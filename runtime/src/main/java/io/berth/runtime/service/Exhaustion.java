package io.berth.runtime.service;

import io.berth.linux.LinuxException;
import java.sql.SQLException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What a node can run out of: not the request's fault, and gone when there is room. Each with the way out. */
enum Exhaustion {
    SPACE(28, "No space left on device", "free space or inodes on that file system, or enlarge it"), //
    QUOTA(122, "Disk quota exceeded", "raise the quota of that file system, or free space"), //
    FILES(24, "Too many open files", "raise the daemon's limit of open files (LimitNOFILE of its unit)"), //
    FILES_OF_NODE(23, "Too many open files in system", "raise the sysctl fs.file-max");

    private static final int SQLITE_FULL = 13;

    private final int errno;
    /** The kernel's words, where the JDK, a shim or an OCI runtime gives no number. */
    private final String words;
    private final String advice;

    Exhaustion(int errno, String words, String advice) {
        this.errno = errno;
        this.words = words;
        this.advice = advice;
    }

    /** What the operator can do. */
    String advice() {
        return advice;
    }

    /** The one behind {@code failure} or a cause of it. */
    static Optional<Exhaustion> behind(Throwable failure) {
        for (@Nullable
        Throwable cause = failure; cause != null; cause = cause.getCause()) {
            for (Exhaustion kind : List.of(FILES_OF_NODE, FILES, QUOTA, SPACE)) {
                if (kind.isIn(cause)) {
                    return Optional.of(kind);
                }
            }
        }
        return Optional.empty();
    }

    private boolean isIn(Throwable cause) {
        @Nullable
        String message = cause.getMessage();
        return switch (cause) {
            case LinuxException e -> e.number() == errno;
            case SQLException e -> this == SPACE && e.getErrorCode() == SQLITE_FULL;
            // Programs in Go begin these words with a small letter.
            default -> message != null && Stream.of(words, words.toLowerCase(Locale.ROOT))
                    .anyMatch(message::contains);
        };
    }
}
