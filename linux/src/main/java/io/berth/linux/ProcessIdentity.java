package io.berth.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A process that cannot be mistaken for a later one with the same number.
 *
 * @param startTicks field {@code starttime} of {@code /proc/PID/stat}: clock ticks from boot to its start
 */
public record ProcessIdentity(long pid, long startTicks) {
    private static final int STARTTIME_AFTER_COMM = 19;

    /** The process that has the number {@code pid} now; empty where none has. */
    public static Optional<ProcessIdentity> of(long pid) throws IOException {
        String stat;
        try {
            stat = Files.readString(Path.of("/proc/" + pid + "/stat"), StandardCharsets.ISO_8859_1);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            // A process that ends between open and read gives ESRCH, which Java has no type for.
            if (!Files.exists(Path.of("/proc/" + pid))) {
                return Optional.empty();
            }
            throw e;
        }
        return Optional.of(new ProcessIdentity(pid, startTicks(stat)));
    }

    /** Whether this very process is still there (a zombie is). */
    public boolean present() throws IOException {
        return of(pid).filter(this::equals).isPresent();
    }

    static long startTicks(String stat) {
        // The command's name is in brackets and may hold brackets and spaces itself.
        int comm = stat.lastIndexOf(')');
        String[] fields = stat.substring(comm + 1).strip().split(" ");
        if (comm < 0 || fields.length <= STARTTIME_AFTER_COMM) {
            throw new IllegalArgumentException("not a /proc/PID/stat: " + stat);
        }
        return Long.parseLong(fields[STARTTIME_AFTER_COMM]);
    }
}
