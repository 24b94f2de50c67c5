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
                Map.of("hosts", Path.of("/run/hosts")), Optional.empty(), Optional.empty());
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
