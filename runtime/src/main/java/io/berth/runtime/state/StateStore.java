package io.berth.runtime.state;

import io.berth.imagestore.metadata.FullDiskReserve;
import io.berth.linux.PrivateFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * The records of sandboxes and containers in one SQLite file. It is read once, at {@link #open}; from then on it is
 * only written, by one thread of its own that puts all waiting writes into one transaction, so that many callers share
 * one flush of the disk, and so that no virtual thread is pinned by SQLite.
 */
public final class StateStore implements AutoCloseable {
    private static final Write STOP = new Write(connection -> {}, Durability.DAEMON_CRASH,
            new CompletableFuture<>());

    private final Path file;
    private final Connection connection;
    private final List<SandboxRecord> sandboxes;
    private final List<ContainerRecord> containers;
    private final LinkedBlockingQueue<Write> writes = new LinkedBlockingQueue<>();
    private final Thread writer;
    private boolean closed;

    private StateStore(Path file, Connection connection, List<SandboxRecord> sandboxes,
            List<ContainerRecord> containers) {
        this.file = file;
        this.connection = connection;
        this.sandboxes = sandboxes;
        this.containers = containers;
        this.writer = Thread.ofPlatform().daemon().name("berth-state").unstarted(this::writeLoop);
    }

    /**
     * Opens {@code file}, making it and its directory if absent.
     *
     * @throws StateException where the file cannot be opened, is damaged, or is of a newer Berth
     */
    public static StateStore open(Path file) throws StateException {
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            // SQLite gives its log and index the database's permissions.
            PrivateFile.ensure(file);
            Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
            try {
                try (Statement statement = connection.createStatement()) {
                    statement.execute("PRAGMA journal_mode = WAL");
                    statement.execute("PRAGMA synchronous = FULL");
                    statement.execute("PRAGMA busy_timeout = 5000");
                }
                Schema.migrate(connection, file);
                FullDiskReserve.make(connection, file);
                StateStore store = new StateStore(file, connection, SandboxTable.readAll(connection),
                        ContainerTable.readAll(connection));
                store.writer.start();
                return store;
            } catch (SQLException | StateException e) {
                connection.close();
                throw e;
            }
        } catch (StateException e) {
            throw e;
        } catch (SQLException | IOException e) {
            throw new StateException("cannot open the state database " + file + ": " + e.getMessage()
                    + ". Check that the disk is writable and not full; if the file is damaged, move it away and"
                    + " restart: containers that still run are then stopped", e);
        }
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
        write(to -> SandboxTable.put(to, record), durability);
    }

    /** Writes a container, new or known, and returns once it survives what {@code durability} says. */
    public void put(ContainerRecord record, Durability durability) throws StateException {
        write(to -> ContainerTable.put(to, record), durability);
    }

    /** Forgets a sandbox; absent is success. */
    public void deleteSandbox(String id) throws StateException {
        write(from -> delete(from, "DELETE FROM sandbox WHERE id = ?", id), Durability.DAEMON_CRASH);
    }

    /** Forgets a container; absent is success. */
    public void deleteContainer(String id) throws StateException {
        write(from -> delete(from, "DELETE FROM container WHERE id = ?", id), Durability.DAEMON_CRASH);
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

    private void write(Action action, Durability durability) throws StateException {
        Write write = new Write(action, durability, new CompletableFuture<>());
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
                batch.add(writes.take());
            } catch (InterruptedException e) {
                // Nobody interrupts this thread; close() sends STOP.
                continue;
            }
            writes.drainTo(batch);
            commit(batch);
        } while (!batch.contains(STOP));
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
        } catch (SQLException e) {
            connection.rollback();
            throw e;
        } finally {
            connection.setAutoCommit(true);
        }
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

    private record Write(Action action, Durability durability, CompletableFuture<Void> done) {}

    private interface Action {
        void run(Connection connection) throws SQLException;
    }
}
