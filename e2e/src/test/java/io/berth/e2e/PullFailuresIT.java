package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RemoveImageRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.image.Blob;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.CniNetwork;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Pulls that cannot succeed: what the caller is told, and what is left. */
@Testcontainers
final class PullFailuresIT {
    @Container
    static final Node NODE = new Node();

    private Set<String> before = Set.of();

    @BeforeEach
    void noteWhatIsThere() throws IOException {
        before = stored();
    }

    @AfterEach
    void nothingIsLeft() {
        Await.until("the store is as it was", Duration.ofSeconds(10), PullFailuresIT::storedUnchecked,
                before::equals);
    }

    @Test
    void anImageThatTheRegistryDoesNotHaveIsNotFound() {
        assertThatThrownBy(() -> pull(NODE.registry().authority() + "/none/such:v1"))
                .hasMessageStartingWith("NOT_FOUND").hasMessageContaining("none/such");
    }

    @Test
    void aReferenceThatIsNoneIsAnInvalidArgument() {
        assertThatThrownBy(() -> pull("UPPER CASE::")).hasMessageStartingWith("INVALID_ARGUMENT")
                .hasMessageContaining("UPPER CASE::");
    }

    @Test
    void aRegistryThatDoesNotAnswerIsNamed() {
        assertThatThrownBy(() -> pull("localhost:1/no/registry:v1")).hasMessageContaining("localhost:1")
                .hasMessageContaining("refused");
    }

    @Test
    void aHostThatIsNotKnownIsNamed() {
        assertThatThrownBy(() -> pull("registry.invalid/app:v1")).hasMessageContaining("registry.invalid");
    }

    @Test
    void aLayerWithOtherBytesThanItsDigestIsRefused() throws IOException {
        TestImage image = image("mismatch");
        String reference = NODE.registry().push("failures/mismatch", "v1", image);
        Blob layer = image.layers().getFirst().blob();
        byte[] other = layer.bytes().clone();
        other[other.length / 2] ^= 1;
        Files.write(NODE.registry().storedFile(layer), other);

        assertThatThrownBy(() -> pull(reference)).hasMessageContaining(layer.digest());
    }

    @Test
    void aTruncatedLayerIsRefused() throws IOException {
        TestImage image = image("truncated");
        String reference = NODE.registry().push("failures/truncated", "v1", image);
        Blob layer = image.layers().getFirst().blob();
        Files.write(NODE.registry().storedFile(layer), Arrays.copyOf(layer.bytes(), layer.size() / 2));

        assertThatThrownBy(() -> pull(reference)).hasMessageContaining(layer.digest());
    }

    @Test
    void aConfigThatIsNotTheManifestsIsRefused() throws IOException {
        TestImage image = image("config");
        String reference = NODE.registry().push("failures/config", "v1", image);
        Files.writeString(NODE.registry().storedFile(image.config()), "{}");

        assertThatThrownBy(() -> pull(reference)).hasMessageContaining(image.config().digest());
    }

    @Test
    void aLayerThatIsNotTheConfigsDiffIdIsRefused() {
        Layer layer = image("diff").layers().getFirst();
        TestImage image = TestImage.builder()
                .layer(new Layer(layer.blob(), layer.compression(), "sha256:" + "0".repeat(64))).build();
        String reference = NODE.registry().push("failures/diff", "v1", image);

        assertThatThrownBy(() -> pull(reference)).hasMessageContaining("sha256:" + "0".repeat(64));
    }

    @Test
    void aLayerThatIsNoTarIsRefused() {
        var random = new byte[50_000];
        new Random(7).nextBytes(random);
        var blob = new Blob(random);
        TestImage image = TestImage.builder().layer(new Layer(blob, Compression.NONE, blob.digest())).build();
        String reference = NODE.registry().push("failures/notar", "v1", image);

        assertThatThrownBy(() -> pull(reference)).hasMessageContaining(blob.digest());
    }

    @Test
    void aPullThatFailedCanBeRepeatedOnceTheRegistryIsRight() throws IOException {
        TestImage image = image("repaired");
        String reference = NODE.registry().push("failures/repaired", "v1", image);
        Blob layer = image.layers().getFirst().blob();
        Path stored = NODE.registry().storedFile(layer);
        Files.write(stored, Arrays.copyOf(layer.bytes(), layer.size() / 2));
        assertThatThrownBy(() -> pull(reference)).isInstanceOf(StatusRuntimeException.class);
        Files.write(stored, layer.bytes());

        pull(reference);

        NODE.cri().images().removeImage(
                RemoveImageRequest.newBuilder().setImage(ImageSpec.newBuilder().setImage(reference)).build());
    }

    @Test
    void aFullDiskIsSaidAndWhatWasWrittenIsGivenBack() throws IOException {
        Path directory = Files.createTempDirectory(Node.workspace(), "f");
        Path disk = Files.createDirectory(directory.resolve("disk"));
        Command.output("mount", "-t", "tmpfs", "-o", "size=16m", "none", disk.toString());
        var daemon = new BerthDaemon(BerthDaemon.Options
                .in(directory.resolve("d"), new CniNetwork(directory.resolve("cni")), NODE.registriesConf())
                .withRoot(disk));
        daemon.start();
        try (Cri cri = Cri.connect(daemon.socket())) {
            var random = new byte[24 << 20];
            new Random(3).nextBytes(random);
            TestImage large = TestImage.builder()
                    .layer(Layer.builder().file("random", 0644, random).build(Compression.NONE)).build();
            String reference = NODE.registry().push("failures/large", "v1", large);
            PullImageRequest request = PullImageRequest.newBuilder()
                    .setImage(ImageSpec.newBuilder().setImage(reference)).build();
            long free = Files.getFileStore(disk).getUsableSpace();

            assertThatThrownBy(() -> cri.images().pullImage(request))
                    .hasMessageStartingWith("RESOURCE_EXHAUSTED")
                    .hasMessageContaining("file system of the image store is full");
            Await.until("the space is free again", Duration.ofSeconds(10), () -> usable(disk),
                    space -> space > free - (1 << 20));
            cri.images().pullImage(PullImageRequest.newBuilder()
                    .setImage(ImageSpec.newBuilder().setImage(NODE.busybox())).build());
        } finally {
            daemon.stop();
            Command.output("umount", disk.toString());
        }
    }

    private static long usable(Path disk) {
        try {
            return Files.getFileStore(disk).getUsableSpace();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static TestImage image(String name) {
        var random = new byte[100_000];
        new Random(name.hashCode()).nextBytes(random);
        return TestImage.builder()
                .layer(Layer.builder().file(name, 0644, random).build(Compression.GZIP)).build();
    }

    private static void pull(String reference) {
        NODE.cri().images().pullImage(
                PullImageRequest.newBuilder().setImage(ImageSpec.newBuilder().setImage(reference)).build());
    }

    private static Set<String> storedUnchecked() {
        try {
            return stored();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Every file and directory of the image store, but for its database and the copies of its rows, which follow it. */
    private static Set<String> stored() throws IOException {
        try (Stream<Path> files = Files.walk(NODE.directory().resolve("d/root/images"))) {
            return files.map(Path::toString)
                    .filter(path -> !path.contains(".db") && !path.contains("/copies"))
                    .collect(Collectors.toSet());
        }
    }
}
