package io.berth.runtime.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerFilter;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.PodSandboxFilter;
import io.berth.cri.v1.PodSandboxState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class RecoveryTest {
    @TempDir
    Path directory;

    private FakeNode node;
    private CriServices services;
    private Cri cri;

    @BeforeEach
    void open() throws IOException {
        node = new FakeNode(directory);
        reopen();
    }

    @AfterEach
    void close() {
        node.holding.values().forEach(CountDownLatch::countDown);
        services.close();
    }

    private void reopen() throws IOException {
        services = node.open();
        cri = new Cri(services);
    }

    private void restart() throws IOException {
        services.close();
        reopen();
    }

    @Test
    void runningContainersAreKnownAndTheirEndIsSeen() throws IOException {
        String pod = cri.run(Cri.pod("web"));
        String id = cri.create(pod, Cri.container("app"));
        cri.start(id);
        ContainerStatus before = cri.status(id);
        restart();
        assertThat(cri.status(id)).isEqualTo(before);
        assertThat(cri.podStatus(pod).getNetwork().getIp()).isEqualTo("10.1.0.2");
        shim(id).end(7, false);
        await(() -> cri.status(id).getState() == ContainerState.CONTAINER_EXITED);
        assertThat(cri.status(id).getExitCode()).isEqualTo(7);
        cri.removePod(pod);
        assertThat(node.existing).isEmpty();
    }

    @Test
    void anEndWhileTheDaemonWasAwayHasItsCodeAndTime() throws IOException {
        String pod = cri.run(Cri.pod("web"));
        String id = cri.create(pod, Cri.container("app"));
        cri.start(id);
        services.close();
        shim(id).end(5, false);
        long ended = io.berth.runtime.lifecycle.Times.nanos(shim(id).exit.join().at());
        node.existing.remove("shim:" + id);
        reopen();
        assertThat(cri.status(id).getExitCode()).isEqualTo(5);
        assertThat(cri.status(id).getFinishedAt()).isEqualTo(ended);
    }

    @Test
    void afterARebootContainersHaveEndedAndSandboxesAreNotReady() throws IOException {
        String pod = cri.run(Cri.pod("web"));
        String id = cri.create(pod, Cri.container("app"));
        cri.start(id);
        services.close();
        node.existing.clear();
        node.shims.clear();
        deleteState();
        reopen();
        assertThat(cri.podStatus(pod).getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        assertThat(cri.status(id).getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
        assertThat(cri.status(id).getExitCode()).isEqualTo(255);
        assertThat(cri.status(id).getMessage()).contains("restarted");
        cri.removePod(pod);
        assertThat(cri.pods(PodSandboxFilter.getDefaultInstance())).isEmpty();
        assertThat(cri.containers(ContainerFilter.getDefaultInstance())).isEmpty();
    }

    @Test
    void whatRanInAnotherBootHasEndedEvenIfItsShimSeemsToAnswer() throws Exception {
        String pod = cri.run(Cri.pod("web"));
        String id = cri.create(pod, Cri.container("app"));
        cri.start(id);
        services.close();
        try (var connection = java.sql.DriverManager
                .getConnection("jdbc:sqlite:" + directory.resolve("root/berth.db"));
                var statement = connection.createStatement()) {
            statement.executeUpdate("UPDATE node SET value = 'another' WHERE key = 'boot_id'");
        }
        reopen();
        assertThat(cri.podStatus(pod).getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        assertThat(cri.status(id).getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
        assertThat(cri.status(id).getMessage()).contains("restarted");
    }

    @Test
    void aStartThatWasUnderWayIsFinished() throws Exception {
        String pod = cri.run(Cri.pod("web"));
        String id = cri.create(pod, Cri.container("app"));
        CountDownLatch held = node.hold("shim.start");
        Thread caller = Thread.startVirtualThread(() -> cri.start(id));
        await(() -> node.steps.contains("shim.start"));
        Path copy = copyOfRoot();
        held.countDown();
        caller.join();
        services.close();

        restore(copy);
        reopen();
        await(() -> cri.status(id).getState() == ContainerState.CONTAINER_RUNNING);
        cri.start(id);
        shim(id).end(0, false);
        await(() -> cri.status(id).getState() == ContainerState.CONTAINER_EXITED);
        assertThat(cri.status(id).getReason()).isEqualTo("Completed");
        cri.start(id);
    }

    @Test
    void aHalfMadeSandboxIsUndone() throws Exception {
        CountDownLatch held = node.hold("environment.networkAttached");
        Thread caller = Thread.startVirtualThread(() -> assertThatThrownBy(() -> cri.run(Cri.pod("web"))));
        await(() -> node.steps.contains("environment.networkAttached"));
        Path copy = copyOfRoot();
        held.countDown();
        caller.join();
        services.close();

        // As the disk was in the middle of it, with what existed then.
        restore(copy);
        Path home;
        try (var homes = Files.list(directory.resolve("state/sandboxes"))) {
            home = homes.findFirst().orElseThrow();
        }
        node.existing.add("cni:" + home.getFileName());
        node.existing.add("environment:" + home);
        node.existing.add("cgroup:" + home.getFileName());
        reopen();
        await(node.existing::isEmpty);
        assertThat(cri.pods(PodSandboxFilter.getDefaultInstance())).isEmpty();
    }

    @Test
    void aHalfMadeContainerIsUndone() throws Exception {
        String pod = cri.run(Cri.pod("web"));
        CountDownLatch held = node.hold("shim.create");
        Thread caller = Thread.startVirtualThread(() -> cri.create(pod, Cri.container("app")));
        await(() -> node.steps.contains("shim.create"));
        Path copy = copyOfRoot();
        held.countDown();
        caller.join();
        services.close();

        restore(copy);
        reopen();
        assertThat(cri.containers(ContainerFilter.getDefaultInstance())).isEmpty();
        await(() -> node.existing.stream()
                .noneMatch(name -> name.startsWith("shim:") || name.startsWith("process:")
                        || name.startsWith("snapshot:") || name.startsWith("oci:")));
        assertThat(cri.podStatus(pod).getState()).isEqualTo(PodSandboxState.SANDBOX_READY);
    }

    @Test
    void whatBelongsToNoKnownContainerIsCleanedUp() throws IOException {
        services.close();
        String orphan = "f".repeat(64);
        node.existing.add("snapshot:" + orphan);
        Files.createDirectories(directory.resolve("state/containers").resolve(orphan));
        reopen();
        await(() -> !node.existing.contains("snapshot:" + orphan)
                && Files.notExists(directory.resolve("state/containers").resolve(orphan)));
    }

    private FakeNode.FakeShim shim(String id) {
        return Objects.requireNonNull(node.shims.get(id));
    }

    private static void await(BooleanSupplier condition) {
        while (!condition.getAsBoolean()) {
            Thread.onSpinWait();
        }
    }

    private void deleteState() throws IOException {
        try (var paths = Files.walk(directory.resolve("state"))) {
            for (Path path : paths.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    /** The database with its write-ahead log, as a crash would leave it. */
    private Path copyOfRoot() throws IOException {
        Path copy = Files.createDirectories(directory.resolve("copy"));
        for (String file : new String[]{"berth.db", "berth.db-wal"}) {
            Files.copy(directory.resolve("root").resolve(file), copy.resolve(file));
        }
        return copy;
    }

    private void restore(Path copy) throws IOException {
        Files.deleteIfExists(directory.resolve("root/berth.db-shm"));
        for (String file : new String[]{"berth.db", "berth.db-wal"}) {
            Files.copy(copy.resolve(file), directory.resolve("root").resolve(file),
                    StandardCopyOption.REPLACE_EXISTING);
        }
    }
}
