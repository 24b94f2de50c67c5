package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.PullImageRequest;
import io.berth.e2e.cri.Await;
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
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** What a pull costs the registry and leaves on the node: shared, cancelled, of very many layers, on a terminal. */
@Testcontainers
final class PullsIT {
    private static final Duration SOON = Duration.ofSeconds(10);
    /** More than is fetched before its registry can be stopped. */
    private static final int LARGE_BYTES = 128 << 20;

    @Container
    static final Node NODE = new Node();

    @Test
    void layersThatManyPullsWantAreFetchedOnce() throws Exception {
        Layer base = layer("base", 8 << 20);
        TestImage first = TestImage.builder().layer(base).layer(layer("first", 100_000)).build();
        TestImage second = TestImage.builder().layer(base).layer(layer("second", 100_000)).build();
        // Another repository of the same registry, as it is for images that share a base.
        List<String> references = List.of(NODE.registry().push("pulls/first", "1", first),
                NODE.registry().push("pulls/second", "1", second));
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<String>> pulls = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                String reference = references.get(i % 2);
                pulls.add(() -> NODE.cri().images().pullImage(request(reference)).getImageRef());
            }
            List<String> ids = new ArrayList<>();
            for (var pulled : threads.invokeAll(pulls)) {
                ids.add(pulled.get());
            }
            assertThat(ids).containsOnly(first.id(), second.id());
        }

        assertThat(NODE.registry().downloads(base.blob())).as("of the base").isEqualTo(1);
        for (TestImage image : List.of(first, second)) {
            assertThat(NODE.registry().downloads(image.layers().getLast().blob())).as("of its own layer")
                    .isEqualTo(1);
        }
        NODE.cri().images().pullImage(request(references.getFirst()));
        assertThat(NODE.registry().downloads(base.blob())).as("when it is here").isEqualTo(1);
    }

    @Test
    void aPullThatIsCancelledStopsAndLeavesNothing() throws Exception {
        String reference = NODE.registry().push("pulls/cancelled", "1",
                TestImage.builder().layer(layer("cancelled", LARGE_BYTES)).build());
        long layers = layers();
        Context.CancellableContext caller = Context.current().withCancellation();
        var failure = new CompletableFuture<Status>();
        Thread.startVirtualThread(caller.wrap(() -> {
            try {
                NODE.cri().images().pullImage(request(reference));
                failure.complete(Status.OK);
            } catch (StatusRuntimeException e) {
                failure.complete(e.getStatus());
            }
        }));

        afterTheLayerHasBegun(() -> caller.cancel(null));

        assertThat(failure.get().getCode()).isEqualTo(Status.Code.CANCELLED);
        assertThat(layers()).isEqualTo(layers);
        NODE.cri().images().pullImage(request(reference));
    }

    @Test
    void aCommandThatIsEndedStopsItsPull() throws Exception {
        String reference = NODE.registry().push("pulls/ended", "1",
                TestImage.builder().layer(layer("ended", LARGE_BYTES)).build());
        Process command = new ProcessBuilder(BerthDaemon.executable().toString(), "image", "pull", "--config",
                configuration().toString(), reference).redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD).start();

        // Not SIGINT, which a shell that runs the tests in the background has all of them ignore.
        afterTheLayerHasBegun(() -> Command.output("kill", "-TERM", Long.toString(command.pid())));

        assertThat(command.waitFor()).isNotZero();
        assertThat(new BerthCommand(configuration()).imageDone("ls")).doesNotContain(reference);
    }

    @Test
    void aTerminalShowsABarForEachLayer() {
        String reference = NODE.registry().push("pulls/bars", "1",
                TestImage.builder().layer(layer("one", 1 << 20)).layer(layer("two", 2 << 20)).build());

        // script(1) gives a command a terminal of its own.
        String shown = Command.output("script", "--quiet", "--return", "--command",
                BerthDaemon.executable() + " image pull --config " + configuration() + " " + reference,
                "/dev/null");

        assertThat(shown).contains("[" + "#".repeat(30) + "] unpacked, 1.05MB")
                .contains("[" + "#".repeat(30) + "] unpacked, 2.10MB").contains("\u001b[2A\u001b[J")
                .contains("sha256:");
    }

    @Test
    void anImageOfFiveHundredLayersRuns() {
        TestImage.Builder image = TestImage.builder().layer(Busybox.layer());
        for (int i = 1; i < 500; i++) {
            image.layer(Layer.builder().file("layers/" + i, 0644, "of " + i).file("last", 0644, "" + i)
                    .build(Compression.GZIP));
        }
        String reference = NODE.pull("many-layers", image.build());

        try (PodHandle pod = PodHandle.run(NODE.cri(), Configs.hostNetworkPod("many", NODE.logs()), "")) {
            ContainerHandle container = pod.start(Configs.container("main", reference, "sleep", "1000"));
            assertThat(container.sh("ls /layers | wc -l; cat /last /layers/1 /layers/499").replace("\n", " "))
                    .isEqualTo("499 499of 1of 499");
        }
    }

    /** Stops the registry in the middle of a layer, and proves that {@code cancel} frees what had come. */
    private static void afterTheLayerHasBegun(Runnable cancel) {
        Await.until("a layer is on its way", SOON, PullsIT::ingested, count -> count > 0);
        NODE.registry().freeze();
        try {
            assertThat(ingested()).as("still on its way").isPositive();
            cancel.run();
            Await.until("nothing is left of the layer", SOON, PullsIT::ingested, count -> count == 0);
        } finally {
            NODE.registry().resume();
        }
    }

    private static PullImageRequest request(String reference) {
        return PullImageRequest.newBuilder().setImage(ImageSpec.newBuilder().setImage(reference)).build();
    }

    private static Layer layer(String name, int bytes) {
        var random = new byte[bytes];
        new Random(name.hashCode()).nextBytes(random);
        return Layer.builder().file("data/" + name, 0644, random).build(Compression.NONE);
    }

    private static Path configuration() {
        return NODE.directory().resolve("d/config.toml");
    }

    /** Files below {@code ingest/} that have content, or a layer's directory. */
    private static long ingested() {
        return count("ingest");
    }

    private static long layers() {
        return count("layers");
    }

    private static long count(String directory) {
        try (Stream<Path> entries = Files.list(NODE.directory().resolve("d/root/images/" + directory))) {
            return entries.count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
