package io.berth.runtime.daemon;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.copies.RowCopies;
import io.berth.imagestore.metadata.ImageDatabase;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.state.DamagedStateException;
import io.berth.runtime.state.Layout;
import io.berth.runtime.state.StateException;
import io.berth.runtime.state.StateFile;
import io.berth.runtime.state.StateStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Optional;

/** Makes damaged databases again from the copies of their rows, and keeps the damaged files beside. */
public final class RecoverDatabases {
    private static final DateTimeFormatter STAMP = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss")
            .withZone(ZoneOffset.UTC);
    private static final List<String> SQLITE_FILES = List.of("", "-wal", "-shm");

    private final BerthConfig config;
    private final Clock clock;

    public RecoverDatabases(BerthConfig config, Clock clock) {
        this.config = config;
        this.clock = clock;
    }

    /**
     * What became of one database.
     *
     * @param damage what was wrong with it; empty where nothing was, and nothing was done
     * @param kept where the damaged file is now; empty where there was none
     * @param rows how many rows it has got back
     * @param problems what could not be recovered
     */
    public record Outcome(Path database, Optional<String> damage, Optional<Path> kept, int rows,
            List<String> problems) {
        public Outcome {
            problems = List.copyOf(problems);
        }

        static Outcome sound(Path database) {
            return new Outcome(database, Optional.empty(), Optional.empty(), 0, List.of());
        }
    }

    /**
     * Looks at both databases and makes again those that are damaged.
     *
     * @throws DaemonException where a daemon runs
     * @throws IOException where a database cannot be read or made for another reason than damage
     */
    public List<Outcome> run() throws IOException {
        try (InstanceLock _ = InstanceLock.of(config.root())) {
            return List.of(images(), state());
        }
    }

    private Outcome state() throws IOException {
        Path file = new Layout(config.root(), config.state()).database();
        try {
            StateStore.open(file).close();
            return Outcome.sound(file);
        } catch (DamagedStateException e) {
            Optional<Path> kept = moveAside(file);
            return outcome(file, e.damage(), kept, new StateFile(file).restore());
        } catch (StateException e) {
            throw new DaemonException(String.valueOf(e.getMessage()), e);
        }
    }

    private Outcome images() throws IOException {
        ImageDatabase database = new ImageDatabase(config.root().resolve("images/images.db"));
        Optional<String> damage = database.damage();
        if (damage.isEmpty()) {
            return Outcome.sound(database.file());
        }
        Optional<Path> kept = moveAside(database.file());
        try {
            return outcome(database.file(), damage.get(), kept, database.restore());
        } catch (ImageException e) {
            throw new DaemonException(String.valueOf(e.getMessage()), e);
        }
    }

    private static Outcome outcome(Path file, String damage, Optional<Path> kept,
            RowCopies.Restored restored) {
        return new Outcome(file, Optional.of(damage), kept, restored.rows(), restored.problems());
    }

    /** The file with its log and index, which belong to it alone. */
    private Optional<Path> moveAside(Path file) throws IOException {
        String name = file.getFileName() + ".damaged-" + STAMP.format(clock.instant());
        boolean there = Files.exists(file);
        for (String end : SQLITE_FILES) {
            Path part = file.resolveSibling(file.getFileName() + end);
            if (Files.exists(part)) {
                Files.move(part, file.resolveSibling(name + end));
            }
        }
        return there ? Optional.of(file.resolveSibling(name)) : Optional.empty();
    }
}
