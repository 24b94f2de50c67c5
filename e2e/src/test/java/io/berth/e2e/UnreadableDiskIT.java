package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ExecSyncResponse;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.cri.v1.PullImageRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthCommand;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.UnreadableDisk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** A disk below the daemon's root that does not give back what was written: layers, databases and the copies of their rows. */
@Testcontainers
final class UnreadableDiskIT {
    private static final int DATA_BYTES = 300_000;
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @Container
    static final Node NODE = new Node();

    private static String image;

    private Path root;
    private UnreadableDisk disk;
    private BerthDaemon daemon;
    private Cri cri;
    private BerthCommand berth;

    @BeforeAll
    static void push() {
        byte[] data = new byte[DATA_BYTES];
        new Random(7).nextBytes(data);
        image = NODE.registry().push("faults/unreadable", "1", TestImage.builder().layer(Busybox.layer())
                .layer(Layer.builder().file("data/large", 0644, data)
                        .file("data/tool", 0755, Busybox.binary())
                        .build(Compression.GZIP))
                .build());
    }

    @BeforeEach
    void start() throws IOException {
        Path directory = Files.createTempDirectory(Node.workspace(), "u");
        disk = UnreadableDisk.mount(directory.resolve("disk"));
        root = directory.resolve("disk/root");
        daemon = new BerthDaemon(
                BerthDaemon.Options.in(directory.resolve("d"), NODE.network(), NODE.registriesConf())
                        .withRoot(root));
        daemon.start();
        cri = Cri.connect(daemon.socket());
        berth = new BerthCommand(daemon.configuration());
        cri.images().pullImage(PullImageRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(image)).build());
    }

    @AfterEach
    void stop() {
        cri.close();
        daemon.stop();
        disk.close();
    }

    @Test
    void aFileOfALayerIsNamedAndFetchedAgain() throws IOException {
        try (PodHandle pod = pod("layers")) {
            ContainerHandle container = pod.start(counting("before"));
            disk.lose(fileOfLayer("large"));

            ExecSyncResponse read = container.exec(10, "cat", "/data/large");
            assertThat(read.getExitCode()).isEqualTo(1);
            assertThat(read.getStderr().toStringUtf8()).contains("Input/output error");
            Command.Result verified = berth.image("verify", image);
            assertThat(verified.exitCode()).isEqualTo(4);
            assertThat(verified.output()).contains("data/large: cannot be read").contains("EIO")
                    .doesNotContain("data/tool").doesNotContain("\tat ");
            Path archive = root.resolveSibling("archive.tar");
            Command.Result exported = berth.image("export", "-o", archive.toString(), image);
            assertThat(exported.exitCode()).isEqualTo(1);
            assertThat(exported.output()).contains("data/large").contains("EIO").doesNotContain("\tat ");
            assertThat(archive).doesNotExist();
            assertThat(archive.resolveSibling("archive.tar.partial")).doesNotExist();

            assertThat(berth.imageDone("verify", "--repair", image)).contains("repaired")
                    .contains(container.id());
            assertThat(berth.imageDone("verify")).contains(": clean").doesNotContain("NOT CLEAN");
            assertThat(pod.start(container("after", "sh", "-c", "wc -c < /data/large")).output())
                    .isEqualTo(Integer.toString(DATA_BYTES));
            assertThatItCounts(container);
        }
    }

    @Test
    void aProgramThatCannotBeReadFailsItsContainerAlone() throws IOException {
        try (PodHandle pod = pod("programs")) {
            ContainerHandle container = pod.start(counting("other"));
            disk.lose(fileOfLayer("tool"));

            ContainerHandle tool = pod.start(container("tool", "/data/tool", "true"));
            assertThat(tool.awaitExit().getExitCode()).isNotZero();
            assertThat(tool.log()).as("the OCI runtime's words").extracting(LogLine::text)
                    .anyMatch(line -> line.contains("nput/output error"));
            assertThatItCounts(container);
        }
    }

    /** The logs, too: a row that was changed last is in the log alone. */
    @ParameterizedTest
    @ValueSource(strings = {"", "-wal"})
    void databasesAreNamedAndMadeAgain(String suffix) throws IOException {
        try (PodHandle pod = pod("databases")) {
            ContainerHandle running = pod.start(counting("running"));
            ContainerHandle ended = pod.start(container("ended", "sh", "-c", "exit 3"));
            ContainerStatus end = ended.awaitExit();
            ContainerStatus status = running.status();
            awaitCopy(running, "\"RUNNING\"");
            awaitCopy(ended, "\"EXITED\"");
            daemon.kill();
            disk.lose(root.resolve("berth.db" + suffix));
            disk.lose(root.resolve("images/images.db" + suffix));

            assertThatThrownBy(() -> daemon.start()).hasMessageContaining("images.db is damaged")
                    .hasMessageContaining("berth recover");
            Command.Result recovered = berth.recover();
            assertThat(recovered.exitCode()).as(recovered.output()).isZero();
            assertThat(recovered.stdout()).contains("berth.db was damaged", "images.db was damaged");
            daemon.start();

            assertThat(running.status()).isEqualTo(status);
            assertThat(ended.status()).isEqualTo(end);
            assertThatItCounts(running);
            assertThat(berth.imageDone("verify", image)).contains(": clean");
            assertThat(pod.start(container("after", "echo", "well")).output()).isEqualTo("well");
        }
    }

    @Test
    void aCopyOfARowIsWrittenAnewWithTheNextChange() throws IOException {
        try (PodHandle pod = pod("copies")) {
            ContainerHandle container = pod.start(counting("main"));
            Path copy = copyOf(container);
            Await.until("the row has its copy", PATIENCE, () -> Files.exists(copy), exists -> exists);
            disk.lose(copy);

            container.stop(0);
            Await.until("the copy is written anew", PATIENCE,
                    () -> Command.run(List.of("grep", "-q", "137", copy.toString())).exitCode(),
                    code -> code == 0);
        }
    }

    @Test
    void aCopyThatIsNeededAndCannotBeReadCostsItsContainerAlone() throws IOException {
        try (PodHandle pod = pod("lost")) {
            ContainerHandle lost = pod.start(counting("lost"));
            ContainerHandle kept = pod.start(counting("kept"));
            ContainerStatus status = kept.status();
            // A stop writes all copies.
            daemon.stop();
            disk.lose(copyOf(lost));
            disk.lose(root.resolve("copies/version"));
            disk.lose(root.resolve("berth.db"));

            assertThatThrownBy(() -> daemon.start()).hasMessageContaining("berth.db is damaged");
            Command.Result recovered = berth.recover();
            assertThat(recovered.exitCode()).isEqualTo(1);
            assertThat(recovered.output()).contains("Lost: " + copyOf(lost)).contains("Input/output error");
            daemon.start();

            assertThat(kept.status()).isEqualTo(status);
            assertThatItCounts(kept);
            assertThat(cri.runtime().listContainers(ListContainersRequest.getDefaultInstance())
                    .getContainersList())
                    .singleElement().satisfies(left -> assertThat(left.getId()).isEqualTo(kept.id()));
        }
    }

    private PodHandle pod(String name) {
        return PodHandle.run(cri, Configs.pod(name, NODE.logs()), "runc");
    }

    private ContainerConfig.Builder container(String name, String... command) {
        return Configs.container(name, image, command);
    }

    private ContainerConfig.Builder counting(String name) {
        return Configs.counting(name, image);
    }

    /** It runs, and every number that it wrote is in its log. */
    private static void assertThatItCounts(ContainerHandle container) {
        assertThat(container.status().getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        assertThat(container.sh("echo alive")).isEqualTo("alive");
        List<LogLine> log = container.awaitLog(container.log().size() + 3);
        assertThat(log).extracting(LogLine::text)
                .isEqualTo(Configs.counted(log.size()));
    }

    private Path fileOfLayer(String name) throws IOException {
        try (Stream<Path> files = Files.walk(root.resolve("images/layers"))) {
            return files.filter(file -> file.endsWith(Path.of("data", name))).findFirst().orElseThrow();
        }
    }

    private Path copyOf(ContainerHandle container) {
        return root.resolve("copies/container/" + container.id() + ".json");
    }

    /** A copy follows its row by a moment, and by two seconds after a start. */
    private void awaitCopy(ContainerHandle container, String phase) {
        String copy = copyOf(container).toString();
        Await.until("the copy of " + container.id() + " says " + phase, PATIENCE,
                () -> Command.run(List.of("grep", "-q", phase, copy)).exitCode(), code -> code == 0);
    }
}
