package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.OciLayout;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** {@code berth image import} and {@code berth image ls}. */
@Testcontainers
final class ImportIT {
    @Container
    static final Node NODE = new Node();

    @Test
    void anArchiveIsImportedAndRunsWithoutARegistry() throws IOException {
        TestImage image = TestImage.builder().layer(Busybox.layer()).env("FROM=archive").build();
        Path archive = NODE.directory().resolve("image.tar");
        OciLayout.writeArchive(archive, image, "example.com/imported:archive");

        assertThat(berth("image", "import", archive.toString())).contains("example.com/imported:archive")
                .contains(image.id());
        assertThat(printed("example.com/imported:archive", "echo $FROM")).isEqualTo("archive");
    }

    @Test
    void aLayoutDirectoryIsImported() throws IOException {
        TestImage image = TestImage.builder().layer(Busybox.layer())
                .layer(Layer.builder().file("of", 0644, "layout").build(Compression.ZSTD)).build();
        Path layout = NODE.directory().resolve("layout");
        OciLayout.writeDirectory(layout, image, "example.com/imported:layout");

        berth("image", "import", layout.toString());

        assertThat(printed("example.com/imported:layout", "cat /of")).isEqualTo("layout");
        assertThat(berth("image", "ls")).contains("example.com/imported");
    }

    @Test
    void aFileThatIsNoArchiveIsRefusedByName() throws IOException {
        Path file = Files.writeString(NODE.directory().resolve("no-archive"), "just text");

        Command.Result result = run("image", "import", file.toString());

        assertThat(result.exitCode()).isNotZero();
        assertThat(result.output()).contains(file.toString()).doesNotContain("\tat ");
    }

    @Test
    void aFileThatIsNotThereIsRefusedByName() {
        assertThat(run("image", "import", "/not/there.tar").output()).contains("/not/there.tar")
                .doesNotContain("\tat ");
    }

    private static String berth(String... arguments) {
        Command.Result result = run(arguments);
        assertThat(result.exitCode()).as(result.output()).isZero();
        return result.output();
    }

    private static Command.Result run(String... arguments) {
        var command = new ArrayList<String>();
        command.add(BerthDaemon.executable().toString());
        command.addAll(List.of(arguments));
        command.addAll(3, List.of("--config", NODE.directory().resolve("d/config.toml").toString()));
        return Command.run(command);
    }

    private static String printed(String image, String script) {
        try (PodHandle pod = PodHandle.run(NODE.cri(), Configs.hostNetworkPod("import", NODE.logs()), "")) {
            return pod.start(Configs.container("main", image, "sh", "-c", script)).output();
        }
    }
}
