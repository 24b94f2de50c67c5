package io.berth.runtime.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerMetadata;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.LinuxContainerUser;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxMetadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StateStoreTest {
    @TempDir
    Path directory;

    @Test
    void recordsComeBackAsTheyWere() throws IOException {
        SandboxRecord sandbox = sandbox("s1")
                .withNetwork(Optional.of(new SandboxRecord.Attachment(List.of("10.0.0.1"), "{}", "{}")))
                .withPause(Optional.of(new SandboxRecord.Pause(42, 4711)));
        ContainerRecord container = container("c1");
        try (StateStore store = open()) {
            store.put(sandbox, Durability.POWER_LOSS);
            store.put(container, Durability.DAEMON_CRASH);
            store.put(sandbox("gone"), Durability.DAEMON_CRASH);
            store.deleteSandbox("gone");
        }
        try (StateStore store = open()) {
            assertThat(store.sandboxesAtOpen()).containsExactly(sandbox);
            assertThat(store.containersAtOpen()).containsExactly(container);
        }
    }

    @Test
    void manyWritersAtOnceLoseNothing() throws IOException {
        try (StateStore store = open();
                ExecutorService writers = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 200; i++) {
                String id = "s" + i;
                var _ = writers.submit(() -> {
                    store.put(sandbox(id), Durability.POWER_LOSS);
                    return true;
                });
            }
        }
        try (StateStore store = open()) {
            assertThat(store.sandboxesAtOpen()).hasSize(200);
        }
    }

    @Test
    void aNewerSchemaIsRefusedAndNamed() throws IOException, SQLException {
        open().close();
        try (var connection = DriverManager.getConnection("jdbc:sqlite:" + directory.resolve("berth.db"));
                var statement = connection.createStatement()) {
            statement.executeUpdate("PRAGMA user_version = 99");
        }
        assertThatThrownBy(this::open).isInstanceOf(StateException.class)
                .hasMessageContaining("schema version 99").hasMessageContaining("newer Berth");
    }

    @Test
    void aFileThatIsNoDatabaseIsRefusedAndNamed() throws IOException {
        Files.writeString(directory.resolve("berth.db"),
                "this is not a database, whatever its name says".repeat(50));
        assertThatThrownBy(this::open).isInstanceOf(StateException.class).hasMessageContaining("berth.db");
    }

    /** As the first version of Berth made it; this text never changes. */
    private static final String VERSION_1 = """
        CREATE TABLE sandbox (
          id TEXT PRIMARY KEY, phase TEXT NOT NULL, config BLOB NOT NULL,
          requested_handler TEXT NOT NULL, runtime TEXT NOT NULL, created_at INTEGER NOT NULL,
          cgroup TEXT NOT NULL, namespaces TEXT NOT NULL, files TEXT NOT NULL,
          cni_ips TEXT, cni_result TEXT, cni_config TEXT,
          pause_pid INTEGER, pause_start INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE container (
          id TEXT PRIMARY KEY, sandbox_id TEXT NOT NULL, phase TEXT NOT NULL,
          config BLOB NOT NULL, resources BLOB NOT NULL,
          image_id TEXT NOT NULL, image_digest TEXT NOT NULL, image_name TEXT NOT NULL,
          runtime TEXT NOT NULL, cgroups_path TEXT NOT NULL, log_path TEXT NOT NULL,
          user BLOB NOT NULL, stop_signal INTEGER NOT NULL, pid INTEGER NOT NULL, shim_pid INTEGER NOT NULL,
          created_at INTEGER NOT NULL, started_at INTEGER NOT NULL, finished_at INTEGER NOT NULL,
          exit_code INTEGER NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        INSERT INTO sandbox VALUES ('s1', 'READY', x'0a050a03776562', '', 'runc', 17, '/pod',
          '{"network":"/run/net"}', '{"hosts":"/run/hosts"}', NULL, NULL, NULL, NULL, NULL);
        INSERT INTO container VALUES ('c1', 's1', 'EXITED', x'0a050a03617070', x'1803', 'sha256:1', 'a@sha256:2',
          'a:1', 'runc', '/pod/c1', '/var/log/c1', x'0a0308e807', 15, 0, 0, 5, 6, 7, 1, 'Error', 'why');
        PRAGMA user_version = 1;
        """;

    @Test
    void theStateOfTheVersionBeforeIsTakenOver() throws IOException, SQLException {
        sql(VERSION_1);
        try (StateStore store = open()) {
            assertThat(store.sandboxesAtOpen()).hasSize(1).first()
                    .satisfies(
                            sandbox -> assertThat(sandbox.config().getMetadata().getName()).isEqualTo("web"))
                    .satisfies(sandbox -> assertThat(sandbox.namespaces()).containsEntry("network",
                            Path.of("/run/net")));
            assertThat(store.containersAtOpen()).hasSize(1).first()
                    .satisfies(container -> assertThat(container.config().getMetadata().getName())
                            .isEqualTo("app"))
                    .satisfies(container -> assertThat(container.end().message()).isEqualTo("why"));
            assertThat(store.bootIdAtOpen()).isEmpty();
            store.putBootId("this boot");
        }
        try (StateStore store = open()) {
            assertThat(store.bootIdAtOpen()).hasValue("this boot");
            assertThat(store.containersAtOpen()).hasSize(1);
        }
    }

    @Test
    void copiesOfTheVersionBeforeAreRestored() throws IOException, SQLException {
        sql(VERSION_1);
        try (var connection = connect()) {
            new StateFile(database()).copies().updateAll(connection, 1);
        }
        Files.delete(database());
        assertThat(new StateFile(database()).restore().problems()).isEmpty();
        try (StateStore store = open()) {
            assertThat(store.sandboxesAtOpen()).hasSize(1);
            assertThat(store.containersAtOpen()).hasSize(1);
        }
    }

    @Test
    void aDamagedFileIsMadeAgainFromItsCopies() throws IOException {
        SandboxRecord sandbox = sandbox("s1");
        ContainerRecord container = container("c1");
        try (StateStore store = open()) {
            store.put(sandbox, Durability.POWER_LOSS);
            store.put(container, Durability.DAEMON_CRASH);
            store.put(container("gone"), Durability.DAEMON_CRASH);
            store.deleteContainer("gone");
        }
        Files.write(database(), new byte[0]);
        assertThatThrownBy(this::open).isInstanceOf(DamagedStateException.class)
                .hasMessageContaining("it is empty, while").hasMessageContaining("1 pods and 1 containers")
                .hasMessageContaining("berth recover");
        Files.delete(database());
        assertThatThrownBy(this::open).isInstanceOf(DamagedStateException.class)
                .hasMessageContaining("it is not there, while");

        assertThat(new StateFile(database()).restore().rows()).isEqualTo(2);
        try (StateStore store = open()) {
            assertThat(store.sandboxesAtOpen()).containsExactly(sandbox);
            assertThat(store.containersAtOpen()).containsExactly(container);
        }
    }

    @Test
    void aCopyIsWrittenSoonAfterItsRow() throws Exception {
        try (StateStore store = open()) {
            store.put(container("c1"), Durability.DAEMON_CRASH);
            long end = System.nanoTime() + 10_000_000_000L;
            while (new StateFile(database()).copies().count("container") == 0 && System.nanoTime() < end) {
                Thread.sleep(1);
            }
            assertThat(new StateFile(database()).copies().count("container")).isEqualTo(1);
        }
    }

    @Test
    void writesThatNeverPauseDoNotPutCopiesOff() throws Exception {
        try (StateStore store = open()) {
            long end = System.nanoTime() + 20_000_000_000L;
            while (new StateFile(database()).copies().count("container") == 0 && System.nanoTime() < end) {
                store.put(container("c1"), Durability.DAEMON_CRASH);
            }
            assertThat(new StateFile(database()).copies().count("container")).isEqualTo(1);
        }
    }

    @Test
    void overwrittenPagesAreNoticed() throws IOException {
        try (StateStore store = open()) {
            for (int i = 0; i < 50; i++) {
                store.put(container("c" + i), Durability.DAEMON_CRASH);
            }
        }
        // Without its log, which would have the right pages.
        Path copy = Files.copy(database(), directory.resolve("damaged.db"));
        try (var content = new java.io.RandomAccessFile(copy.toFile(), "rw")) {
            content.seek(4096);
            content.write("noise".repeat(1000).getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        }
        assertThatThrownBy(() -> StateStore.open(copy)).isInstanceOf(DamagedStateException.class)
                .hasMessageContaining("berth recover");
    }

    private Path database() {
        return directory.resolve("berth.db");
    }

    private java.sql.Connection connect() throws SQLException {
        return DriverManager.getConnection("jdbc:sqlite:" + database());
    }

    private void sql(String script) throws SQLException {
        try (var connection = connect(); var statement = connection.createStatement()) {
            statement.executeUpdate(script);
        }
    }

    @Test
    void aWriteAfterTheEndIsRefused() throws IOException {
        StateStore store = open();
        store.close();
        assertThatThrownBy(() -> store.put(sandbox("s1"), Durability.DAEMON_CRASH))
                .hasMessageContaining("shutting down");
    }

    private StateStore open() throws StateException {
        return StateStore.open(directory.resolve("berth.db"));
    }

    private static SandboxRecord sandbox(String id) {
        return new SandboxRecord(id, SandboxPhase.READY,
                PodSandboxConfig.newBuilder().setMetadata(PodSandboxMetadata.newBuilder().setName("web"))
                        .build(),
                "", "runc", 17, "/pod", Map.of("network", Path.of("/run/net")),
                Map.of("hosts", Path.of("/run/hosts")), Optional.empty(), Optional.empty(), "s0:c1,c2");
    }

    private static ContainerRecord container(String id) {
        return new ContainerRecord(id, "s1", ContainerPhase.EXITED,
                ContainerConfig.newBuilder().setMetadata(ContainerMetadata.newBuilder().setName("app"))
                        .build(),
                LinuxContainerResources.newBuilder().setCpuShares(3).build(),
                new ContainerRecord.ImageRef("sha256:1", "a@sha256:2", "a:1"), "runc", "/pod/c1",
                "/var/log/c1",
                LinuxContainerUser.newBuilder().setUid(1000).build(), 15, new ContainerRecord.Processes(3, 4),
                new ContainerRecord.Times(5, 6, 7), new ContainerRecord.End(1, "Error", "why"));
    }
}
