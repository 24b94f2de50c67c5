package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.PullImageRequest;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Processes;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** What a container sees of the things that a layer can hold. */
@Testcontainers
final class LayersIT {
    private static final String LONG_NAME = "d".repeat(120) + "/" + "e".repeat(120) + "/" + "f".repeat(200);

    @Container
    static final Node NODE = new Node();

    @Test
    void laterLayersHideReplaceAndAdd() {
        Layer lower = Layer.builder().directory("data", 0755).file("data/gone", 0644, "lower")
                .file("data/changed", 0644, "lower").file("data/kept", 0644, "lower")
                .directory("data/gone-too", 0755).file("data/gone-too/deep", 0644, "lower")
                .build(Compression.GZIP);
        Layer upper = Layer.builder().whiteout("data/gone").whiteout("data/gone-too")
                .file("data/changed", 0644, "upper").file("data/added", 0644, "upper")
                .build(Compression.ZSTD);

        assertThat(printed("whiteouts", "cd /data; ls; cat changed kept added", lower, upper).lines())
                .containsExactly("added", "changed", "kept", "upperlowerupper");
    }

    @Test
    void anOpaqueDirectoryHasOnlyWhatItsLayerPutsThere() {
        Layer lower = Layer.builder().directory("opaque", 0755).file("opaque/hidden", 0644, "lower")
                .directory("opaque/sub", 0755).file("opaque/sub/hidden", 0644, "lower")
                .build(Compression.GZIP);
        Layer upper = Layer.builder().directory("opaque", 0750).opaque("opaque")
                .file("opaque/shown", 0644, "upper")
                .build(Compression.GZIP);
        // The marker may come after the files of its layer, which it does not hide.
        Layer markerLast = Layer.builder().directory("opaque", 0755).file("opaque/last", 0644, "top")
                .opaque("opaque")
                .build(Compression.NONE);

        assertThat(printed("opaque", "ls /opaque; stat -c %a /opaque", lower, upper).lines())
                .containsExactly("shown", "750");
        assertThat(printed("opaque-last", "ls /opaque", lower, upper, markerLast)).isEqualTo("last");
    }

    @Test
    void aRemovedNameMayComeBackAsSomethingElse() {
        Layer directory = Layer.builder().directory("name", 0755).file("name/inside", 0644, "x")
                .build(Compression.GZIP);
        Layer file = Layer.builder().file("name", 0644, "now a file").build(Compression.GZIP);
        Layer directoryAgain = Layer.builder().directory("name", 0755).file("name/new", 0644, "x")
                .build(Compression.GZIP);

        assertThat(printed("retyped", "cat /name", directory, file)).isEqualTo("now a file");
        assertThat(printed("retyped-again", "ls /name", directory, file, directoryAgain)).isEqualTo("new");
    }

    @Test
    void hardLinksAreOneFile() {
        Layer layer = Layer.builder().file("original", 0640, "linked").hardLink("etc/link", "original", 0640)
                .build(Compression.GZIP);

        assertThat(printed("hardlinks", "cat /etc/link; stat -c ' %h %a' /original;"
                + " test $(stat -c %i /original) = $(stat -c %i /etc/link) && echo same", layer).lines())
                .containsExactly("linked 2 640", "same");
    }

    @Test
    void symbolicLinksLeadWhereTheySay() {
        Layer layer = Layer.builder().symlink("absolute", "/etc/group").symlink("relative", "etc/group")
                .symlink("dangling", "/not/there").build(Compression.GZIP);

        assertThat(printed("symlinks", "head -n1 /absolute; head -n1 /relative; readlink /dangling", layer)
                .lines())
                .containsExactly("root:x:0:", "root:x:0:", "/not/there");
    }

    @Test
    void modesOwnersAndTimesAreKept() {
        Layer layer = Layer.builder().file("setuid", 04755, 0, 0, new byte[0])
                .file("owned", 0604, 1000, 1001, new byte[0]).directory("sticky", 01777)
                .file("numbered", 0644, 3_000_000, 3_000_001, new byte[0]).build(Compression.GZIP);

        assertThat(printed("modes", "stat -c '%n %a %u %g' /setuid /owned /sticky /numbered", layer).lines())
                .containsExactly("/setuid 4755 0 0", "/owned 604 1000 1001", "/sticky 1777 0 0",
                        "/numbered 644 3000000 3000001");
    }

    @Test
    void setuidIsInForceOnTheRootFileSystem() {
        assertThat(printed("setuid", "grep ' / ' /proc/mounts")).contains(" overlay ")
                .doesNotContain("nosuid");
    }

    @Test
    void deviceNodesAndPipesAreMade() {
        Layer layer = Layer.builder().directory("nodes", 0755).characterDevice("nodes/null", 0666, 1, 3)
                .fifo("nodes/pipe", 0622).build(Compression.GZIP);

        assertThat(printed("devices", "stat -c '%n %F %t:%T' /nodes/null /nodes/pipe", layer).lines())
                .containsExactly("/nodes/null character special file 1:3", "/nodes/pipe fifo 0:0");
    }

    @Test
    void longNamesAreWhole() {
        Layer layer = Layer.builder().directory("d".repeat(120), 0755)
                .directory("d".repeat(120) + "/" + "e".repeat(120), 0755).file(LONG_NAME, 0644, "at the end")
                .build(Compression.GZIP);

        assertThat(printed("long", "cat /" + LONG_NAME, layer)).isEqualTo("at the end");
    }

    @Test
    void parentsThatTheLayerDoesNotNameAreMade() {
        Layer layer = Layer.builder().file("made/on/the/way", 0644, "here").build(Compression.GZIP);

        assertThat(printed("parents", "cat /made/on/the/way; stat -c ' %a' /made", layer))
                .isEqualTo("here 755");
    }

    @Test
    void extendedAttributesAreKept() throws IOException {
        String image = NODE.pull("xattrs", TestImage.builder().layer(Busybox.layer())
                .layer(Layer.builder().fileWithXattr("noted", "user.note", "kept", "x")
                        .build(Compression.GZIP))
                .build());
        try (PodHandle pod = PodHandle.run(NODE.cri(), Configs.hostNetworkPod("xattrs", NODE.logs()), "")) {
            pod.start(Configs.container("main", image, "sleep", "51966"));
            Path noted = Path.of("/proc/" + Processes.await("sleep 51966").pid() + "/root/noted");

            assertThat((byte[]) Files.getAttribute(noted, "user:note")).asString().isEqualTo("kept");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"../../../../../../../..", "/"})
    void noLayerWritesOutsideOfItself(String prefix) {
        String escaped = Node.workspace().resolve("escaped-" + prefix.length()).toString();
        Layer layer = Layer.builder().file(prefix + escaped, 0644, "x").build(Compression.GZIP);

        tryToPull("escape-" + prefix.length(), layer);

        assertThat(Path.of(escaped)).doesNotExist();
    }

    @Test
    void noLayerWritesThroughALinkOfItsOwn() throws IOException {
        Path target = Files.createDirectory(Node.workspace().resolve("outside"));
        Layer link = Layer.builder().symlink("way", target.toString()).build(Compression.GZIP);
        Layer through = Layer.builder().file("way/escaped", 0644, "x").build(Compression.GZIP);
        Layer both = Layer.builder().symlink("way", target.toString()).file("way/escaped", 0644, "x")
                .hardLink("stolen", "way/../../../../etc/shadow", 0644).build(Compression.GZIP);

        tryToPull("through-lower", link, through);
        tryToPull("through-own", both);

        assertThat(target).isEmptyDirectory();
    }

    /** Whether it is refused or made harmless is the runtime's choice. */
    private static void tryToPull(String name, Layer... layers) {
        TestImage.Builder image = TestImage.builder().layer(Busybox.layer());
        List.of(layers).forEach(image::layer);
        String reference = NODE.registry().push("layers/" + name, "v1", image.build());
        try {
            NODE.cri().images().pullImage(
                    PullImageRequest.newBuilder().setImage(ImageSpec.newBuilder().setImage(reference))
                            .build());
        } catch (StatusRuntimeException e) {
            assertThat(e).hasMessageContaining("layer sha256:");
        }
    }

    /** What a container of busybox and {@code layers} prints. */
    private static String printed(String name, String script, Layer... layers) {
        TestImage.Builder image = TestImage.builder().layer(Busybox.layer());
        List.of(layers).forEach(image::layer);
        String reference = NODE.pull(name, image.build());
        try (PodHandle pod = PodHandle.run(NODE.cri(), Configs.hostNetworkPod("layers", NODE.logs()), "")) {
            return pod.start(Configs.container("main", reference, "sh", "-c", script)).output();
        }
    }
}
