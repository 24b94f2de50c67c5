package io.berth.runtime.admin;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.admin.v1.ImportImageProgress;
import io.berth.admin.v1.ImportImageRequest;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageConfig;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageTools;
import io.berth.imagestore.Images;
import io.berth.imagestore.RegistryAuth;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdminServiceTest {
    /** Fails whatever it is asked. */
    private static final ImageTools NO_TOOLS = (ImageTools) Proxy.newProxyInstance(
            AdminServiceTest.class.getClassLoader(), new Class<?>[]{ImageTools.class},
            (proxy, method, arguments) -> {
                throw new UnsupportedOperationException(method.getName());
            });

    @TempDir
    Path directory;

    @Test
    void tellsTheSizeFirstAndTheImagesLast() throws Exception {
        Path archive = Files.writeString(directory.resolve("image.tar"), "twelve bytes");
        Answer answer = importing(archive.toString(),
                path -> List.of(image("sha256:1", "docker.io/library/a:1")));
        assertThat(answer.failure).isNull();
        assertThat(answer.messages).hasSize(2);
        assertThat(answer.messages.getFirst().getStarted().getTotalBytes()).isEqualTo(12);
        assertThat(answer.messages.getLast().getDone().getImagesList()).singleElement().satisfies(image -> {
            assertThat(image.getId()).isEqualTo("sha256:1");
            assertThat(image.getRepoTagsList()).containsExactly("docker.io/library/a:1");
        });
    }

    @Test
    void wantsAnAbsolutePath() {
        Status status = importing("image.tar", path -> List.of()).status();
        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription()).isEqualTo(
                "path must be absolute, the daemon has a working directory of its own; it is \"image.tar\"");
    }

    @Test
    void namesAPathThatIsNotThere() {
        Path missing = directory.resolve("missing");
        Status status = importing(missing.toString(), path -> List.of()).status();
        assertThat(status.getCode()).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(status.getDescription()).contains("the daemon finds no " + missing);
    }

    @Test
    void aBadArchiveIsTheCallersFault() throws Exception {
        Path archive = Files.writeString(directory.resolve("image.tar"), "");
        Answer answer = importing(archive.toString(), path -> {
            throw new ImageException(ImageException.Kind.CORRUPT, "no index.json in it");
        });
        assertThat(answer.messages).hasSize(1);
        assertThat(answer.status().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(answer.status().getDescription()).isEqualTo("no index.json in it");
    }

    private static Answer importing(String path, Import work) {
        var answer = new Answer();
        new AdminService(new OnlyImport(work), NO_TOOLS).importImage(
                ImportImageRequest.newBuilder().setPath(path).build(),
                answer);
        return answer;
    }

    private static Image image(String id, String tag) {
        var config = new ImageConfig("linux", "amd64", "", "", List.of(), List.of(), List.of(), "", "",
                List.of(),
                List.of(), Map.of());
        return new Image(id, List.of(tag), List.of(), 1, config, id, "{}", "{}", List.of(), false,
                Instant.EPOCH);
    }

    /** What the store does with a path. */
    private interface Import {
        List<Image> run(Path path) throws ImageException;
    }

    /** What a client would have got. */
    private static final class Answer implements StreamObserver<ImportImageProgress> {
        private final List<ImportImageProgress> messages = new ArrayList<>();
        private @Nullable Throwable failure;

        Status status() {
            return Status.fromThrowable(failure == null ? new AssertionError("it succeeded") : failure);
        }

        @Override
        public void onNext(ImportImageProgress message) {
            messages.add(message);
        }

        @Override
        public void onError(Throwable thrown) {
            failure = thrown;
        }

        @Override
        public void onCompleted() {}
    }

    /** A store of which only import is asked. */
    private record OnlyImport(Import work) implements Images {
        @Override
        public List<Image> importFrom(Path fileOrDirectory) throws ImageException {
            return work.run(fileOrDirectory);
        }

        @Override
        public Image pull(String reference, RegistryAuth auth) {
            throw new UnsupportedOperationException();
        }

        @Override
        public List<Image> list() {
            throw new UnsupportedOperationException();
        }

        @Override
        public Optional<Image> find(String referenceOrId) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void remove(String referenceOrId) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Usage usage() {
            throw new UnsupportedOperationException();
        }

        @Override
        public Path root() {
            throw new UnsupportedOperationException();
        }
    }
}
