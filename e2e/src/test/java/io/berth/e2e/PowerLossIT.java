package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ListImagesRequest;
import io.berth.cri.v1.PullImageRequest;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.StoreAudit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/**
 * Power is cut at random moments of pulls and container creation. The store's ext4 is on a loop device, and that device's
 * file on btrfs, where a clone takes an instant: it has what the kernel had written by then and nothing of what it still
 * had in memory, as a disk has after a cut. ext4 recovers from its journal when the clone is mounted, and a daemon is
 * started on it.
 */
@Testcontainers
final class PowerLossIT {
    private static final int CUTS = 10;
    private static final int IMAGES = 40;
    private static final int LONGEST_MILLIS = 1500;
    private static final int FILES = 80;

    @Container
    static final Node NODE = new Node();

    private final long seed = Long
            .parseLong(System.getenv().getOrDefault("CRASH_SEED", Long.toString(System.nanoTime())));
    private final Random random = new Random(seed);
    /** Images whose pull has been answered. */
    private final Set<String> pulled = new ConcurrentSkipListSet<>();
    private final Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
    private Path directory;
    private Path clones;
    private Path live;
    private Path after;

    @BeforeEach
    void makeDisks() throws IOException {
        directory = Files.createTempDirectory(Node.workspace(), "p");
        clones = Files.createDirectory(directory.resolve("btrfs"));
        live = Files.createDirectory(directory.resolve("live"));
        after = Files.createDirectory(directory.resolve("after"));
        Path store = directory.resolve("btrfs.img");
        Command.output("truncate", "-s", "2G", store.toString());
        Command.output("mkfs.btrfs", "-q", store.toString());
        Command.output("mount", "-o", "loop", store.toString(), clones.toString());
        Command.output("truncate", "-s", "512M", clones.resolve("disk").toString());
        Command.output("mkfs.ext4", "-q", clones.resolve("disk").toString());
        Command.output("mount", "-o", "loop", clones.resolve("disk").toString(), live.toString());
    }

    @AfterEach
    void unmount() {
        for (Path mounted : List.of(after, live, clones)) {
            Command.run(List.of("umount", mounted.toString()));
        }
    }

    @Test
    void everyImageThatWasReportedPulledIsWholeAfterACut() throws Exception {
        var daemon = daemon("d", live);
        daemon.start();
        var over = new AtomicBoolean();
        try (Cri cri = Cri.connect(daemon.socket())) {
            String busybox = NODE.busybox();
            pull(cri, busybox);
            Thread puller = worker(() -> pullAll(cri, over));
            Thread creator = worker(() -> createContainers(cri, busybox, over));
            for (int cut = 1; cut <= CUTS; cut++) {
                Thread.sleep(random.nextInt(LONGEST_MILLIS));
                Set<String> reported = new TreeSet<>(pulled);
                cutPower();
                assertWhole(reported, "cut " + cut + ", CRASH_SEED=" + seed);
            }
            over.set(true);
            puller.join();
            creator.join();
            assertThat(failures).isEmpty();
            assertThat(pulled).hasSizeGreaterThan(2);
        } finally {
            over.set(true);
            daemon.stop();
        }
    }

    private Thread worker(Runnable work) {
        return Thread.ofVirtual().uncaughtExceptionHandler((thread, failure) -> failures.add(failure))
                .start(work);
    }

    private void cutPower() {
        Command.output("cp", "--reflink=always", clones.resolve("disk").toString(),
                clones.resolve("cut").toString());
    }

    private void assertWhole(Set<String> reported, String when) throws IOException {
        Command.output("mount", "-o", "loop", clones.resolve("cut").toString(), after.toString());
        var daemon = daemon("a", after);
        daemon.start();
        try (Cri cri = Cri.connect(daemon.socket())) {
            var present = new TreeSet<String>();
            cri.images().listImages(ListImagesRequest.getDefaultInstance()).getImagesList()
                    .forEach(image -> present.addAll(image.getRepoTagsList()));
            assertThat(present).as(when).containsAll(reported);
            StoreAudit audit = StoreAudit.of(after.resolve("root/images"), daemon.socket());
            assertThat(audit.notClean()).as(when).isEmpty();
        } finally {
            daemon.stop();
            Command.output("umount", after.toString());
            Files.delete(clones.resolve("cut"));
        }
    }

    private void pullAll(Cri cri, AtomicBoolean over) {
        for (int i = 0; i < IMAGES && !over.get(); i++) {
            TestImage image = TestImage.builder().layer(Busybox.layer()).layer(layer(i)).build();
            pull(cri, NODE.registry().push("power/image" + i, "1", image));
        }
    }

    private void pull(Cri cri, String reference) {
        cri.images().pullImage(PullImageRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(reference)).build());
        pulled.add(reference);
    }

    private static void createContainers(Cri cri, String image, AtomicBoolean over) {
        while (!over.get()) {
            try (PodHandle pod = PodHandle.run(cri, Configs.hostNetworkPod("power", NODE.logs()), "")) {
                pod.start(Configs.container("main", image, "sleep", "1000"));
            }
        }
    }

    private BerthDaemon daemon(String name, Path disk) {
        return new BerthDaemon(BerthDaemon.Options
                .in(directory.resolve(name), NODE.network(), NODE.registriesConf())
                .withRoot(disk.resolve("root")));
    }

    private static Layer layer(int number) {
        Layer.Builder layer = Layer.builder();
        var content = new Random(number);
        for (int i = 0; i < FILES; i++) {
            var bytes = new byte[content.nextInt(60_000)];
            content.nextBytes(bytes);
            layer.file("opt/" + number + "/" + i, 0644, bytes);
        }
        return layer.build(Compression.GZIP);
    }
}
