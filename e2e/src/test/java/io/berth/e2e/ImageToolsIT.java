package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthCommand;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** {@code berth image}, but for import, which {@link ImportIT} has. */
@Testcontainers
final class ImageToolsIT {
    private static final ObjectMapper JSON = new ObjectMapper();

    @Container
    static final Node NODE = new Node(
            "registry.pinned_images = [\"registry.example.com/pinned:1\"]");

    private static BerthCommand berth;

    @BeforeAll
    static void connect() {
        berth = new BerthCommand(NODE.directory().resolve("d/config.toml"));
    }

    @Test
    void aPullSaysHowFarItsLayersAreAndPrintsTheId() throws IOException {
        TestImage image = image("pulled", Compression.ZSTD);
        String reference = NODE.registry().push("e2e/pulled", "1", image);

        assertThat(berth.imageDone("pull", reference)).contains("unpacked").contains(image.id() + "\n");
        assertThat(berth.imageDone("pull", "--quiet", reference)).isEqualTo(image.id() + "\n");
        JsonNode described = JSON.readTree(berth.imageDone("inspect", reference)).get(0);
        assertThat(described.path("id").asText()).isEqualTo(image.id());
        assertThat(described.path("layers")).hasSize(2)
                .allSatisfy(layer -> assertThat(layer.path("recorded").asBoolean()).isTrue());
        assertThat(described.path("config").path("architecture").asText()).isEqualTo(image.architecture());
        Command.Result absent = berth.image("pull", reference + "-absent");
        assertThat(absent.exitCode()).isEqualTo(3);
        assertThat(absent.output()).contains(reference + "-absent").doesNotContain("\tat ");
    }

    @Test
    void anExportImportsAgainWithTheSameDigestsAndExportsToTheSameBytes() throws IOException {
        TestImage image = image("exported", Compression.GZIP);
        String reference = NODE.pull("exported", image);
        Path first = NODE.directory().resolve("first.tar");
        Path second = NODE.directory().resolve("second.tar");
        JsonNode before = JSON.readTree(berth.imageDone("inspect", reference)).get(0);

        berth.imageDone("export", "-o", first.toString(), reference);
        try (Elsewhere other = new Elsewhere("other")) {
            other.berth.imageDone("import", first.toString());
            JsonNode after = JSON.readTree(other.berth.imageDone("inspect", reference)).get(0);
            for (String field : List.of("id", "tags", "digests", "sizeBytes", "manifestDigest", "manifest",
                    "config")) {
                assertThat(after.path(field)).as(field).isEqualTo(before.path(field));
            }
            assertThat(after.path("layers").findValuesAsText("diffId"))
                    .isEqualTo(before.path("layers").findValuesAsText("diffId"));
            assertThat(other.berth.imageDone("verify")).contains("clean");
            other.berth.imageDone("export", "-o", second.toString(), reference);
        }
        assertThat(second).hasSameBinaryContentAs(first);
        assertThat(NODE.directory().resolve("first.tar.partial")).doesNotExist();
    }

    @Test
    void everyKindOfExportIsImportedByAnEmptyNodeAndByOtherTools() throws IOException {
        TestImage image = image("kinds", Compression.GZIP);
        String reference = NODE.pull("kinds", image);
        for (String kind : List.of("oci-archive", "oci-layout", "docker-archive")) {
            Path target = NODE.directory().resolve("as-" + kind);
            berth.imageDone("export", "--to", kind, "-o", target.toString(), reference);
            try (Elsewhere other = new Elsewhere(kind)) {
                assertThat(other.berth.imageDone("import", target.toString())).contains(image.id())
                        .contains(reference);
                assertThat(other.berth.imageDone("verify")).contains("clean");
            }
        }
        Path layers = Files.createDirectory(NODE.directory().resolve("layers"));
        String tar = NODE.directory().resolve("as-docker-archive").toString();
        assertThat(Command.run(List.of("tar", "-xf", tar, "-C", layers.toString())).exitCode()).isZero();
        for (Layer layer : image.layers()) {
            Path file = layers.resolve(layer.diffId().substring(7)).resolve("layer.tar");
            assertThat(Command.run(List.of("sha256sum", file.toString())).output())
                    .startsWith(layer.diffId().substring(7));
        }
        Path gzipped = NODE.directory().resolve("gzipped.tar.gz");
        Command.run(List.of("sh", "-c", "gzip -c " + tar + " > " + gzipped));
        try (Elsewhere other = new Elsewhere("gz")) {
            assertThat(other.berth.imageDone("import", gzipped.toString())).contains(image.id());
        }
    }

    @Test
    void namesAreGivenAndTakenAndImagesRemoved() throws IOException {
        TestImage image = image("named", Compression.NONE);
        String reference = NODE.pull("named", image);
        String id = image.id().substring("sha256:".length(), "sha256:".length() + 16);

        berth.imageDone("tag", id, "registry.example.com/other:2");
        assertThat(tags(id)).containsExactlyInAnyOrder(reference, "registry.example.com/other:2");
        berth.imageDone("untag", "registry.example.com/other:2");
        assertThat(tags(id)).containsExactly(reference);
        assertThat(berth.image("untag", "registry.example.com/other:2").exitCode()).isEqualTo(3);
        assertThat(berth.image("tag", id, "not a name").exitCode()).isEqualTo(1);

        assertThat(berth.imageDone("rm", id)).contains(reference);
        Command.Result gone = berth.image("inspect", id);
        assertThat(gone.exitCode()).isEqualTo(3);
        assertThat(gone.output()).contains("no image " + id);
    }

    @Test
    void everyCommandSaysWhatItDidAsJson() throws IOException {
        TestImage image = image("json", Compression.GZIP);
        String reference = NODE.registry().push("e2e/json", "1", image);
        String other = "registry.example.com/json:2";
        String archive = NODE.directory().resolve("json.tar").toString();

        assertThat(json("pull", reference).path("id").asText()).isEqualTo(image.id());
        assertThat(json("tag", reference, other).path("tags").toString()).contains(reference, other);
        assertThat(json("untag", other).path("tags").toString()).contains(reference).doesNotContain(other);
        assertThat(json("inspect", reference).path("layers")).hasSize(2);
        assertThat(json("export", "-o", archive, reference).path("id").asText()).isEqualTo(image.id());
        assertThat(json("rm", reference).path("id").asText()).isEqualTo(image.id());
        JsonNode imported = json("import", archive);
        assertThat(imported.path("id").asText()).isEqualTo(image.id());
        assertThat(imported.path("tags").get(0).asText()).isEqualTo(reference);
        berth.imageDone("untag", reference);
        assertThat(JSON.readTree(berth.imageDone("prune", "--dry-run", "--format", "json"))
                .findValuesAsText("id"))
                .contains(image.id());
        berth.imageDone("rm", image.id());
    }

    /** The one image of a command's document. */
    private static JsonNode json(String... arguments) throws IOException {
        List<String> all = new ArrayList<>(List.of(arguments));
        all.addAll(1, List.of("--format", "json"));
        return JSON.readTree(berth.imageDone(all.toArray(String[]::new))).get(0);
    }

    @Test
    void aWrongCommandLineSaysSo() {
        assertThat(berth.image("inspect").exitCode()).isEqualTo(2);
        assertThat(berth.image("export", "--to", "zip", "-o", "x", NODE.busybox()).exitCode()).isEqualTo(2);
        assertThat(berth.image("pull", "--creds", "nobody", NODE.busybox()).output())
                .contains("--creds wants USER:PASSWORD");
    }

    @Test
    void pinnedImagesAreNotPrunedAndRemovedByForceOnly() throws IOException {
        TestImage image = image("pinned", Compression.GZIP);
        String reference = NODE.pull("pinned", image);
        berth.imageDone("tag", reference, "registry.example.com/pinned:1");
        TestImage loose = image("loose", Compression.GZIP);
        String unused = NODE.pull("loose", loose);

        assertThat(berth.imageDone("prune", "--all", "--dry-run")).contains(unused).doesNotContain(reference);
        assertThat(berth.imageDone("prune")).doesNotContain(unused);
        assertThat(berth.imageDone("prune", "--all")).contains("removed " + unused);
        assertThat(berth.imageDone("ls")).contains("yes").contains(reference).doesNotContain(unused);
        Command.Result refused = berth.image("rm", reference);
        assertThat(refused.exitCode()).isEqualTo(1);
        assertThat(refused.output()).contains("is pinned");
        berth.imageDone("rm", "--force", reference);
        // The node's own image went with the prune.
        berth.imageDone("pull", NODE.busybox());
    }

    @Test
    void damageIsFoundAndRepairedUnderARunningContainer() throws IOException {
        TestImage image = image("damaged", Compression.GZIP);
        String reference = NODE.pull("damaged", image);
        assertThat(berth.imageDone("verify", reference)).contains(": clean");

        try (PodHandle pod = PodHandle.run(NODE.cri(), Configs.hostNetworkPod("verify", NODE.logs()), "")) {
            ContainerHandle container = pod
                    .start(Configs.container("main", reference, "sleep", "1000"));
            Path file = fileOfLayers("data/of-damaged");
            Files.writeString(file, "forged");

            Command.Result found = berth.image("verify", reference);
            assertThat(found.exitCode()).isEqualTo(4);
            assertThat(found.output()).contains("/data/of-damaged: ").contains("NOT CLEAN");

            assertThat(berth.imageDone("verify", "--repair", reference)).contains("repaired")
                    .contains(container.id());
            assertThat(berth.imageDone("verify", reference)).contains(": clean");
            assertThat(container.sh("ls /data")).contains("of-damaged");
            ContainerHandle later = pod
                    .start(Configs.container("later", reference, "sleep", "1000"));
            assertThat(later.sh("cat /data/of-damaged")).isEqualTo("content of damaged");
        }
        JsonNode verified = JSON.readTree(berth.imageDone("verify", "--format", "json", reference)).get(0);
        assertThat(verified.path("clean").asBoolean()).isTrue();
        assertThat(layerDirectories()).as("the former layer went with its container")
                .isEqualTo(JSON.readTree(berth.imageDone("df", "--format", "json")).path("layers")
                        .path("count").asLong());
    }

    @Test
    void diskUseSaysWhatIsShared() throws IOException {
        NODE.pull("first", image("first", Compression.GZIP));
        NODE.pull("second", image("second", Compression.GZIP));
        JsonNode use = JSON.readTree(berth.imageDone("df", "--format", "json"));

        assertThat(use.path("shared").path("count").asLong()).isPositive();
        assertThat(use.path("layers").path("bytes").asLong())
                .isGreaterThan(use.path("shared").path("bytes").asLong());
        assertThat(berth.imageDone("df")).contains("of several images");
    }

    private static List<String> tags(String reference) throws IOException {
        return JSON.readerForListOf(String.class).readValue(
                JSON.readTree(berth.imageDone("inspect", reference)).get(0).path("tags"));
    }

    private static long layerDirectories() throws IOException {
        try (Stream<Path> layers = Files.list(NODE.directory().resolve("d/root/images/layers"))) {
            return layers.count();
        }
    }

    private static Path fileOfLayers(String path) throws IOException {
        try (Stream<Path> layers = Files.list(NODE.directory().resolve("d/root/images/layers"))) {
            return layers.map(layer -> layer.resolve(path)).filter(Files::exists).findFirst().orElseThrow();
        }
    }

    private static TestImage image(String name, Compression compression) {
        return TestImage.builder().layer(Busybox.layer())
                .layer(Layer.builder().directory("data", 0750)
                        .file("data/of-" + name, 0640, 5, 6,
                                ("content of " + name).getBytes(StandardCharsets.UTF_8))
                        .hardLink("data/linked", "data/of-" + name, 0640).symlink("data/link", "of-" + name)
                        .whiteout("etc/gone").build(compression))
                .build();
    }

    /** Another node's store, without a daemon. */
    private static final class Elsewhere implements AutoCloseable {
        private final Path directory;
        private final BerthCommand berth;

        Elsewhere(String name) throws IOException {
            directory = Files.createDirectory(NODE.directory().resolve("at-" + name));
            berth = new BerthCommand(new BerthDaemon(BerthDaemon.Options.in(directory, NODE.network(),
                    NODE.registriesConf())).configuration());
        }

        @Override
        public void close() {
            Command.run(List.of("rm", "-rf", directory.toString()));
        }
    }
}
