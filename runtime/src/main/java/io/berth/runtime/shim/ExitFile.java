package io.berth.runtime.shim;

import io.berth.shim.wire.Wire;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How a container ended, as the shim tells it in its exit file and over its socket. */
final class ExitFile {
    private static final String NAME = "exit";
    private static final int UNKNOWN_CODE = 255;
    private static final Pattern CONTENT = Pattern
            .compile("code=(\\d{1,9}) signal=(\\d{1,3}) oom=([01]) time=(\\d{1,18}\\d)\n");

    private ExitFile() {}

    /** Reads the file, which is complete if it exists. */
    static Optional<ExitRecord> read(Path directory) {
        String content;
        try {
            content = Files.readString(directory.resolve(NAME));
        } catch (NoSuchFileException | NotDirectoryException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw new UncheckedIOException("read the exit file in " + directory, e);
        }
        Matcher fields = CONTENT.matcher(content);
        if (!fields.matches()) {
            return Optional.of(unknown());
        }
        return Optional
                .of(new ExitRecord(Integer.parseInt(fields.group(1)), Integer.parseInt(fields.group(2)),
                        fields.group(3).equals("1"), instant(Long.parseLong(fields.group(4))), true));
    }

    /** The body of an EXIT frame. */
    static ExitRecord decode(ByteBuffer body) {
        int code = body.getInt();
        int signal = body.getInt();
        boolean oomKilled = body.get() != 0;
        return new ExitRecord(code, signal, oomKilled, instant(body.getLong()), true);
    }

    /** The record of a container whose end nobody saw. */
    static ExitRecord unknown() {
        return new ExitRecord(UNKNOWN_CODE, 0, false, Instant.now(), false);
    }

    /** Whether {@code state} is one in which the container has a process. */
    static boolean hasProcess(int state) {
        return state == Wire.STATE_CREATED || state == Wire.STATE_RUNNING;
    }

    private static Instant instant(long nanos) {
        return Instant.ofEpochSecond(0, nanos);
    }
}
