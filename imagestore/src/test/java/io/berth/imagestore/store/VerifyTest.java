package io.berth.imagestore.store;

import static io.berth.imagestore.unpack.TarBuilder.file;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageStoreConfig;
import io.berth.imagestore.RegistryAuth;
import io.berth.imagestore.Verification;
import io.berth.imagestore.Verification.LayerResult;
import io.berth.imagestore.Verification.Outcome;
import io.berth.imagestore.store.TestRegistry.TestImage;
import io.berth.imagestore.unpack.TarBuilder;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VerifyTest {
    private static final String APP = "registry.example.com/app:1";

    @TempDir
    private Path folder;

    private final TestRegistry registry = new TestRegistry();
    private final List<String> lines = new ArrayList<>();
    private ImageStore store;
    private Image image;

    @BeforeEach
    void pull() throws Exception {
        open();
        TestImage pushed = TestRegistry.image("a", new TarBuilder().add(file("one", "1")),
                new TarBuilder().add(file("two", "2")));
        registry.push(APP, pushed);
        registry.push("registry.example.com/app@" + pushed.manifestDigest(), pushed);
        image = store.pull(APP, RegistryAuth.NONE);
    }

    @AfterEach
    void close() throws IOException {
        store.close();
        assertThat(folder.resolve("images/ingest")).isEmptyDirectory();
    }

    @Test
    void aPulledImageIsCleanAlsoAfterARestart() throws Exception {
        assertThat(verify(false).isClean()).isTrue();
        store.close();
        open();

        Verification verification = verify(false);

        assertThat(verification.layers()).extracting(LayerResult::outcome).containsExactly(Outcome.CLEAN,
                Outcome.CLEAN);
        assertThat(verification.layers()).extracting(LayerResult::files).containsExactly(2L, 2L);
        assertThat(lines).isEmpty();
    }

    @Test
    void aDamagedLayerIsToldAndFetchedAgain() throws Exception {
        Path before = layerWith("one");
        Files.writeString(before.resolve("one"), "X");

        Verification found = verify(false);
        assertThat(found.isClean()).isFalse();
        assertThat(found.layers()).extracting(LayerResult::outcome).containsExactly(Outcome.DAMAGED,
                Outcome.CLEAN);
        assertThat(lines).anySatisfy(line -> assertThat(line).isEqualTo("/one: its content was changed"));

        Verification repaired = verify(true);
        assertThat(repaired.layers()).extracting(LayerResult::outcome).containsExactly(Outcome.REPAIRED,
                Outcome.CLEAN);
        assertThat(repaired.layers().getFirst().note()).isEmpty();
        assertThat(before).doesNotExist();
        assertThat(verify(false).isClean()).isTrue();
        assertThat(layerWith("one").resolve("one")).hasContent("1");
        assertThat(folder.resolve("images/records").resolve(layerWith("one").getFileName() + ".record"))
                .exists();
        try (var records = Files.list(folder.resolve("images/records"))) {
            assertThat(records).hasSize(2);
        }
    }

    @Test
    void aContainerKeepsTheFilesThatItHasThroughARepair() throws Exception {
        store.snapshots().prepare("c1", image.id());
        Path before = layerWith("two");
        Files.delete(before.resolve("two"));

        LayerResult result = verify(true).layers().getLast();

        assertThat(result.outcome()).isEqualTo(Outcome.REPAIRED);
        assertThat(result.note()).contains("c1").contains("until they are removed");
        assertThat(before).exists();
        assertThat(store.snapshots().prepare("c2", image.id()).lower()).doesNotContain(before);
        store.close();
        open();
        assertThat(before).as("after a restart").exists();
        store.snapshots().remove("c1");
        assertThat(before).doesNotExist();
        assertThat(verify(false).isClean()).isTrue();
    }

    @Test
    void aLayerOfAnOlderBerthIsNotRecordedUntilItIsRepaired() throws Exception {
        store.close();
        forgetRecords();
        open();

        assertThat(verify(false).layers()).extracting(LayerResult::outcome)
                .containsExactly(Outcome.NOT_RECORDED, Outcome.NOT_RECORDED);
        assertThat(lines).hasSize(2).allSatisfy(line -> assertThat(line).contains("older Berth"));
        assertThat(verify(true).isClean()).isTrue();
        assertThat(verify(false).isClean()).isTrue();
    }

    @Test
    void whatNoRegistryHasIsNotRepairedAndSaid() throws Exception {
        Files.writeString(layerWith("one").resolve("one"), "X");
        registry.push("registry.example.com/app@" + image.manifestDigest(),
                TestRegistry.image("b", new TarBuilder().add(file("other", ""))));

        LayerResult result = verify(true).layers().getFirst();

        assertThat(result.outcome()).isEqualTo(Outcome.NOT_REPAIRED);
        assertThat(result.note()).contains("registry.example.com/app@");
        assertThat(layerWith("one").resolve("one")).hasContent("X");
    }

    @Test
    void anAbsentImageIsSaid() {
        assertThatThrownBy(() -> store.verify("absent", false, RegistryAuth.NONE, new Listening()))
                .isInstanceOfSatisfying(ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(ImageException.Kind.NOT_FOUND))
                .hasMessageContaining("absent");
    }

    private void open() throws ImageException {
        store = ImageStore.open(new ImageStoreConfig(folder.resolve("images"), null, 2, Set.of()), registry,
                new SimpleMeterRegistry());
    }

    private Verification verify(boolean repair) throws ImageException {
        lines.clear();
        return store.verify(APP, repair, RegistryAuth.NONE, new Listening());
    }

    /** The database as version 1 left it. */
    private void forgetRecords() throws Exception {
        try (Connection connection = DriverManager
                .getConnection("jdbc:sqlite:" + folder.resolve("images/images.db"));
                Statement statement = connection.createStatement()) {
            statement.executeUpdate("ALTER TABLE layers DROP COLUMN record");
            statement.executeUpdate("DROP TABLE retired_layers");
            statement.executeUpdate("UPDATE schema_version SET version = 1");
        }
    }

    private Path layerWith(String name) throws IOException {
        try (var layers = Files.list(folder.resolve("images/layers"))) {
            return layers.filter(layer -> Files.exists(layer.resolve(name))).findFirst().orElseThrow();
        }
    }

    private final class Listening implements Verification.Listener {
        @Override
        public void layer(String imageId, String diffId) {
            assertThat(image.diffIds()).contains(diffId);
        }

        @Override
        public void difference(String diffId, String line) {
            lines.add(line);
        }
    }
}
