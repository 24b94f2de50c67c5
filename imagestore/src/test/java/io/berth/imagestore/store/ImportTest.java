package io.berth.imagestore.store;

import static io.berth.imagestore.unpack.TarBuilder.file;
import static io.berth.imagestore.unpack.TarBuilder.symlink;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.ImageStoreConfig;
import io.berth.imagestore.store.TestRegistry.TestImage;
import io.berth.imagestore.unpack.TarBuilder;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImportTest {
    @TempDir
    private Path folder;

    private final TestImage image = TestRegistry.image("i", new TarBuilder().add(file("a", "1")),
            new TarBuilder().add(file("b", "2")));
    private ImageStore store;

    @BeforeEach
    void open() throws ImageException {
        store = ImageStore.open(new ImageStoreConfig(folder.resolve("images"), null, 2, Set.of()),
                new TestRegistry(),
                new SimpleMeterRegistry());
    }

    @AfterEach
    void close() throws IOException {
        store.close();
        assertThat(folder.resolve("images/ingest")).isEmptyDirectory();
    }

    @Test
    void anOciLayoutDirectoryIsImported() throws Exception {
        Path layout = Files.createDirectory(folder.resolve("layout"));
        image.writeLayout(layout, "example.com/app:1");

        List<Image> imported = store.importFrom(layout);

        assertThat(imported).singleElement().satisfies(it -> {
            assertThat(it.id()).isEqualTo(image.id());
            assertThat(it.repoTags()).containsExactly("example.com/app:1");
            assertThat(it.repoDigests()).containsExactly("example.com/app@" + image.manifestDigest());
        });
        assertThat(store.find("example.com/app:1")).contains(imported.getFirst());
    }

    @Test
    void aCompressedOciArchiveIsImported() throws Exception {
        Path layout = Files.createDirectory(folder.resolve("layout"));
        image.writeLayout(layout, "v1");
        Path archive = Files.write(folder.resolve("image.tar.gz"), TestRegistry.gzip(tarOf(layout)));

        // A word alone is a tag of nothing: the image has no name.
        assertThat(store.importFrom(archive)).singleElement().satisfies(it -> {
            assertThat(it.id()).isEqualTo(image.id());
            assertThat(it.repoTags()).isEmpty();
        });
    }

    @Test
    void aDockerArchiveIsImported() throws Exception {
        byte[] first = new TarBuilder().add(file("a", "1")).build();
        byte[] second = new TarBuilder().add(file("b", "2")).build();
        TarBuilder archive = new TarBuilder().add(file("manifest.json", """
            [{"Config":"config.json","RepoTags":["app:2"],"Layers":["one/layer.tar","two/layer.tar"]}]"""))
                .add(file("config.json", image.config)).add(file("one/layer.tar", first))
                .add(file("blob.tar", second)).add(symlink("two/layer.tar", "../blob.tar"));
        Path file = Files.write(folder.resolve("save.tar"), archive.build());

        assertThat(store.importFrom(file)).singleElement().satisfies(it -> {
            assertThat(it.id()).isEqualTo(image.id());
            assertThat(it.repoTags()).containsExactly("docker.io/library/app:2");
            assertThat(it.repoDigests()).isEmpty();
        });
    }

    @Test
    void whatIsNoImageIsRefused() throws Exception {
        Path text = Files.writeString(folder.resolve("text"), "hello".repeat(1000));
        Path empty = Files.createDirectory(folder.resolve("nothing"));
        Path layout = Files.createDirectory(folder.resolve("layout"));
        image.writeLayout(layout, "example.com/app:1");
        Path blob = layout.resolve("blobs/sha256").resolve(image.layers.getFirst().digest().substring(7));
        Files.delete(blob);

        assertKind(text, Kind.CORRUPT, "it is no tar archive: its first header does not match its checksum");
        assertThat(catchThrowable(() -> store.importFrom(text))).hasMessageNotContaining("hello");
        Path json = Files.createDirectory(folder.resolve("json"));
        Files.writeString(json.resolve("manifest.json"), "[{\"s3cret\": tok3n}]");
        assertKind(json, Kind.CORRUPT, "manifest.json is malformed: it is not JSON");
        assertThat(catchThrowable(() -> store.importFrom(json))).hasMessageNotContaining("tok3n");
        assertKind(empty, Kind.INVALID, "neither index.json");
        assertKind(folder.resolve("absent"), Kind.NOT_FOUND, "absent");
        assertKind(layout, Kind.CORRUPT, "has no blobs/sha256/");
        Files.createSymbolicLink(blob, Path.of("/etc/passwd"));
        assertKind(layout, Kind.CORRUPT, "has no blobs/sha256/");
        Files.delete(blob);
        Files.writeString(blob, "other");
        assertKind(layout, Kind.CORRUPT, image.layers.getFirst().digest());
        assertThat(store.list()).isEmpty();
    }

    private void assertKind(Path path, Kind kind, String message) {
        assertThatThrownBy(() -> store.importFrom(path)).isInstanceOfSatisfying(ImageException.class,
                e -> assertThat(e.kind()).isEqualTo(kind)).hasMessageContaining(message);
    }

    private static byte[] tarOf(Path directory) throws IOException {
        TarBuilder tar = new TarBuilder();
        try (var files = Files.walk(directory)) {
            for (Path path : files.filter(Files::isRegularFile).toList()) {
                tar.add(file(directory.relativize(path).toString(), Files.readAllBytes(path)));
            }
        }
        return tar.build();
    }
}
