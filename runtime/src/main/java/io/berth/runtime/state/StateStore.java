package io.berth.runtime.state;

import io.berth.imagestore.copies.RowCopies;
import io.berth.imagestore.metadata.FullDiskReserve;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The records of sandboxes and containers in one SQLite file. It is read once, at {@link #open}; from then on it is
 * only written, by one thread of its own that puts all waiting writes into one transaction, so that many callers share
 * one flush of the disk, and so that no virtual thread is pinned by SQLite. The same thread keeps a copy of each row in
 * a file, a moment later, from which {@code berth recover} makes the database again.
 */
public final class StateStore implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(StateStore.class);
    private static final Write STOP = new Write(connection -> {}, Optional.empty(), Durability.DAEMON_CRASH,
            new CompletableFuture<>());
    /** Copies are written when no write has come for so long: several changes of a row cost one copy. */
    private static final Duration QUIET = Duration.ofMillis(20);
    private static final Duration LONGEST_UNCOPIED = Duration.ofSeconds(1);
    /** A start has better things to do first. */
    private static final Duration AFTER_START = Duration.ofSeconds(2);
    private static final Duration AFTER_FAILURE = Duration.ofSeconds(30);
    private static final String BOOT_ID = "boot_id";

    private final Path file;
    private final Connection connection;
    private final RowCopies copies;
    private final List<SandboxRecord> sandboxes;
    private final List<ContainerRecord> containers;
    private final Optional<String> bootId;
    private final LinkedBlockingQueue<Write> writes = new LinkedBlockingQueue<>();
    private final Set<Row> uncopied = new LinkedHashSet<>();
    private final Thread writer;
    private boolean copiedAll;
    private long writtenAtNanos = System.nanoTime();
    /** Of the oldest row in {@link #uncopied}. */
    private long uncopiedSinceNanos = writtenAtNanos;
    private long noCopyBeforeNanos = writtenAtNanos + AFTER_START.toNanos();
    private boolean closed;

    private StateStore(Path file, Connection connection, RowCopies copies)
            throws SQLException, StateException {
        this.file = file;
        this.connection = connection;
        this.copies = copies;
        this.sandboxes = SandboxTable.readAll(connection);
        this.containers = ContainerTable.readAll(connection);
        this.bootId = readBootId(connection);
        this.writer = Thread.ofPlatform().daemon().name("berth-state").unstarted(this::writeLoop);
    }

    /**
     * Opens {@code file}, making it and its directory if absent.
     *
     * @throws DamagedStateException where it is damaged, or gone while there are copies of its rows
     * @throws StateException where the file cannot be opened, or is of a newer Berth
     */
    public static StateStore open(Path file) throws StateException {
        StateFile stateFile = new StateFile(file);
        Connection connection = stateFile.open();
        try {
            StateStore store = new StateStore(file, connection, stateFile.copies());
            store.writer.start();
            return store;
        } catch (SQLException | StateException e) {
            closeQuietly(connection);
            throw new DamagedStateException(file, String.valueOf(e.getMessage()), e);
        }
    }

    /** The boot in which the state was last taken up, as the kernel names it; empty where that was not noted yet. */
    public Optional<String> bootIdAtOpen() {
        return bootId;
    }

    /** Notes in which boot the state was taken up. */
    public void putBootId(String id) throws StateException {
        write(to -> {
            try (PreparedStatement insert = to
                    .prepareStatement("INSERT OR REPLACE INTO node (key, value) VALUES (?, ?)")) {
                insert.setString(1, BOOT_ID);
                insert.setString(2, id);
                insert.executeUpdate();
            }
        }, Optional.empty(), Durability.DAEMON_CRASH);
    }

    /** The sandboxes as they were when the store was opened. */
    public List<SandboxRecord> sandboxesAtOpen() {
        return sandboxes;
    }

    /** The containers as they were when the store was opened. */
    public List<ContainerRecord> containersAtOpen() {
        return containers;
    }

    /** Writes a sandbox, new or known, and returns once it survives what {@code durability} says. */
    public void put(SandboxRecord record, Durability durability) throws StateException {
        write(to -> SandboxTable.put(to, record), row(StateFile.SANDBOX, record.id()), durability);
    }

    /** Writes a container, new or known, and returns once it survives what {@code durability} says. */
    public void put(ContainerRecord record, Durability durability) throws StateException {
        write(to -> ContainerTable.put(to, record), row(StateFile.CONTAINER, record.id()), durability);
    }

    /** Forgets a sandbox; absent is success. */
    public void deleteSandbox(String id) throws StateException {
        write(from -> delete(from, "DELETE FROM sandbox WHERE id = ?", id),
                row(StateFile.SANDBOX, id), Durability.DAEMON_CRASH);
    }

    /** Forgets a container; absent is success. */
    public void deleteContainer(String id) throws StateException {
        write(from -> delete(from, "DELETE FROM container WHERE id = ?", id),
                row(StateFile.CONTAINER, id), Durability.DAEMON_CRASH);
    }

    /** Writes what is waiting, then closes the file. */
    @Override
    public void close() {
        synchronized (writes) {
            if (closed) {
                return;
            }
            closed = true;
            writes.add(STOP);
        }
        try {
            writer.join();
            // Left open for the process' end: closing would delete the log, and with it the reserve for a full disk.
            FullDiskReserve.keep(connection);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (SQLException e) {
            // Every acknowledged write is committed: there is nothing left to lose.
            return;
        }
    }

    private static Optional<Row> row(String table, String id) {
        return Optional.of(new Row(table, id));
    }

    private static Optional<String> readBootId(Connection connection) throws SQLException {
        try (PreparedStatement select = connection.prepareStatement("SELECT value FROM node WHERE key = ?")) {
            select.setString(1, BOOT_ID);
            try (ResultSet row = select.executeQuery()) {
                return row.next() ? Optional.of(row.getString(1)) : Optional.empty();
            }
        }
    }

    private static void closeQuietly(Connection connection) {
        try {
            connection.close();
        } catch (SQLException e) {
            // The file could not be read: that is what the caller is told.
        }
    }

    private void write(Action action, Optional<Row> row, Durability durability) throws StateException {
        Write write = new Write(action, row, durability, new CompletableFuture<>());
        synchronized (writes) {
            if (closed) {
                throw new StateException("cannot write " + file + ": the daemon is shutting down");
            }
            writes.add(write);
        }
        try {
            write.done.join();
        } catch (CompletionException e) {
            throw new StateException("cannot write " + file + ": " + cause(e)
                    + ". Nothing was recorded; check that the disk is writable and not full", e.getCause());
        }
    }

    private void writeLoop() {
        List<Write> batch = new ArrayList<>();
        do {
            batch.clear();
            try {
                Write first = copiesAreWanted()
                        ? writes.poll(nanosToCopying(), TimeUnit.NANOSECONDS)
                        : writes.take();
                if (first == null) {
                    copy();
                    continue;
                }
                batch.add(first);
            } catch (InterruptedException e) {
                // Nobody interrupts this thread; close() sends STOP.
                continue;
            }
            writes.drainTo(batch);
            commit(batch);
            writtenAtNanos = System.nanoTime();
            if (!copiesAreWanted()) {
                uncopiedSinceNanos = writtenAtNanos;
            }
            batch.forEach(write -> write.row.ifPresent(uncopied::add));
            // Writes that never pause must not put it off.
            if (copiesAreWanted() && nanosToCopying() <= 0) {
                copy();
            }
        } while (!batch.contains(STOP));
        if (copiesAreWanted()) {
            copy();
        }
    }

    private boolean copiesAreWanted() {
        return !copiedAll || !uncopied.isEmpty();
    }

    private long nanosToCopying() {
        long now = System.nanoTime();
        long quiet = writtenAtNanos + QUIET.toNanos() - now;
        long longest = uncopiedSinceNanos + LONGEST_UNCOPIED.toNanos() - now;
        return Math.max(Math.min(quiet, longest), noCopyBeforeNanos - now);
    }

    /** The first time all of them, which makes good for copies that an earlier daemon had no time to write. */
    private void copy() {
        try {
            if (!copiedAll) {
                copies.updateAll(connection, Schema.VERSION);
                copiedAll = true;
            }
            for (String table : List.of(StateFile.SANDBOX, StateFile.CONTAINER)) {
                copies.update(connection, table, uncopied.stream().filter(row -> row.table.equals(table))
                        .map(Row::key).toList());
            }
            uncopied.clear();
        } catch (SQLException | IOException e) {
            noCopyBeforeNanos = System.nanoTime() + AFTER_FAILURE.toNanos();
            log.atWarn().addKeyValue("directory", copies.directory())
                    .addKeyValue("againAfter", AFTER_FAILURE).setCause(e)
                    .log("could not copy what the state database has. Is the disk full?");
        }
    }

    /** All of {@code batch} in one transaction; where that fails, each on its own, so that one cannot fail the others. */
    private void commit(List<Write> batch) {
        try {
            transact(batch);
            batch.forEach(write -> write.done.complete(null));
        } catch (SQLException e) {
            for (Write write : batch) {
                try {
                    transact(List.of(write));
                    write.done.complete(null);
                } catch (SQLException alone) {
                    write.done.completeExceptionally(alone);
                }
            }
        }
    }

    private void transact(List<Write> batch) throws SQLException {
        boolean flush = batch.stream().anyMatch(write -> write.durability == Durability.POWER_LOSS);
        try (Statement statement = connection.createStatement()) {
            // Takes effect between transactions only; in WAL mode, NORMAL skips the flush at commit.
            statement.execute("PRAGMA synchronous = " + (flush ? "FULL" : "NORMAL"));
        }
        connection.setAutoCommit(false);
        try {
            for (Write write : batch) {
                write.action.run(connection);
            }
            connection.commit();
        } catch (SQLException | RuntimeException e) {
            StateFile.abandon(connection, e);
            throw e;
        }
        connection.setAutoCommit(true);
    }

    private static void delete(Connection connection, String sql, String id) throws SQLException {
        try (PreparedStatement delete = connection.prepareStatement(sql)) {
            delete.setString(1, id);
            delete.executeUpdate();
        }
    }

    private static String cause(CompletionException e) {
        Throwable cause = e.getCause() == null ? e : e.getCause();
        return String.valueOf(cause.getMessage());
    }

    private record Row(String table, String key) {}

    private record Write(Action action, Optional<Row> row, Durability durability,
            CompletableFuture<Void> done) {}

    private interface Action {
        void run(Connection connection) throws SQLException;
    }
}
