package io.berth.e2e.powerloss;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What a runtime has answered, in a file that no loss of the machine's power reaches. A line is there before {@link #note}
 * returns: {@code +} with what is there, {@code -} with what is not, {@code ?} with what a call that is under way may change.
 */
final class Journal implements AutoCloseable {
    /** What is known of an image or pod. */
    enum Known {
        THERE('+'), GONE('-'), UNKNOWN('?');

        private final char sign;

        Known(char sign) {
            this.sign = sign;
        }

        private static Known of(char sign) {
            for (Known known : values()) {
                if (known.sign == sign) {
                    return known;
                }
            }
            throw new IllegalArgumentException("no line of a journal begins with " + sign);
        }
    }

    private final FileChannel file;
    private final Map<String, Known> last = new LinkedHashMap<>();

    private Journal(FileChannel file) {
        this.file = file;
    }

    /** Reads what was noted before, and goes on from there. */
    static Journal open(Path path) throws IOException {
        String text = Files.exists(path) ? Files.readString(path) : "";
        // A line that was cut off was not noted.
        int end = text.lastIndexOf('\n') + 1;
        var journal = new Journal(
                FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE));
        journal.file.truncate(end);
        journal.file.position(end);
        text.substring(0, end).lines()
                .forEach(line -> journal.last.put(line.substring(2), Known.of(line.charAt(0))));
        return journal;
    }

    /** @param what a kind and a name: {@code image localhost:5000/a:1} */
    synchronized void note(Known known, String what) {
        try {
            file.write(ByteBuffer.wrap((known.sign + " " + what + "\n").getBytes(StandardCharsets.UTF_8)));
            file.force(true);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        last.put(what, known);
    }

    /** Whether nothing was ever noted. */
    synchronized boolean isEmpty() { return last.isEmpty(); }

    synchronized boolean isThere(String what) {
        return last.get(what) == Known.THERE;
    }

    /** Names of that kind whose last note is {@code known}. */
    synchronized Set<String> names(String kind, Known known) {
        var names = new TreeSet<String>();
        last.forEach((what, now) -> {
            if (now == known && what.startsWith(kind + " ")) {
                names.add(what.substring(kind.length() + 1));
            }
        });
        return names;
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
