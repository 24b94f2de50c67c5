package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.cri.v1.ListImagesRequest;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.PodSandbox;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RemoveImageRequest;
import io.berth.cri.v1.RemovePodSandboxRequest;
import io.berth.cri.v1.StopPodSandboxRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.StoreAudit;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/**
 * The daemon is killed at random moments of pulls, removals and container creation, {@code CRASH_ROUNDS} times (15); the
 * issue's own number is {@code sudo CRASH_ROUNDS=200 ./test CrashIT}. {@code CRASH_SEED} repeats a run's moments.
 */
@Testcontainers
final class CrashIT {
    private static final int ROUNDS = Integer.parseInt(System.getenv().getOrDefault("CRASH_ROUNDS", "15"));
    private static final long SEED = Long.parseLong(
            System.getenv().getOrDefault("CRASH_SEED", Long.toString(System.nanoTime())));
    private static final int LONGEST_MILLIS = 900;
    private static final int FILES = 60;
    private static final Duration UNDONE = Duration.ofSeconds(20);

    @Container
    static final Node NODE = new Node();

    private final Random random = new Random(SEED);
    /** Whether an image must be there now, by reference; absent where nobody can say. */
    private final Map<String, Boolean> expected = new ConcurrentHashMap<>();
    private final AtomicInteger finished = new AtomicInteger();
    /** Calls that failed for another reason than the kill. */
    private final Queue<StatusRuntimeException> failures = new ConcurrentLinkedQueue<>();

    @Test
    void aDaemonKilledAtAnyMomentLosesNothingAndLeavesNothing() throws Exception {
        List<String> references = push();
        for (int round = 1; round <= ROUNDS; round++) {
            runAndKill(references);
            NODE.server().start();
            try (Cri cri = Cri.connect(NODE.server().socket())) {
                String when = "round " + round + " of " + ROUNDS + ", CRASH_SEED=" + SEED;
                assertThat(failures).as(when).isEmpty();
                assertExpected(cri, references, when);
                StoreAudit audit = StoreAudit.of(NODE.directory().resolve("d/root/images"),
                        NODE.server().socket());
                // What was half-made is undone behind READY, on a busy machine some time later.
                Await.until("nothing is without an owner in " + when, UNDONE, () -> withoutOwner(audit, cri),
                        List::isEmpty);
                assertThat(audit.notClean()).as(when).isEmpty();
                removePods(cri);
            } catch (StatusRuntimeException e) {
                throw new AssertionError("round " + round + ", CRASH_SEED=" + SEED + "; the daemon's log:\n"
                        + NODE.server().logTail(), e);
            }
        }
        assertThat(finished).as("calls that were answered before a kill").hasPositiveValue();
        try (Cri cri = Cri.connect(NODE.server().socket())) {
            StoreAudit audit = StoreAudit.of(NODE.directory().resolve("d/root/images"),
                    NODE.server().socket());
            assertThat(audit.withoutOwner(new TreeSet<>())).isEmpty();
            for (String reference : references) {
                cri.images().removeImage(RemoveImageRequest.newBuilder().setImage(spec(reference)).build());
            }
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    /** Six images: each two share a layer, all share busybox'. */
    private static List<String> push() {
        var references = new ArrayList<String>();
        for (int i = 0; i < 6; i++) {
            TestImage image = TestImage.builder().layer(Busybox.layer()).layer(layer("pair" + i / 2))
                    .layer(layer("own" + i)).build();
            references.add(NODE.registry().push("crash/image" + i, "1", image));
        }
        return references;
    }

    private static Layer layer(String name) {
        Layer.Builder layer = Layer.builder();
        var content = new Random(name.hashCode());
        for (int i = 0; i < FILES; i++) {
            var bytes = new byte[content.nextInt(40_000)];
            content.nextBytes(bytes);
            layer.file("opt/" + name + "/" + i, 0644, bytes);
        }
        return layer.build(Compression.GZIP);
    }

    private void runAndKill(List<String> references) throws InterruptedException {
        var over = new AtomicBoolean();
        List<Thread> threads = new ArrayList<>();
        try (Cri cri = Cri.connect(NODE.server().socket())) {
            for (int i = 0; i < references.size(); i += 2) {
                List<String> pair = references.subList(i, i + 2);
                var choice = new Random(random.nextLong());
                threads.add(Thread.ofVirtual().start(() -> pullAndRemove(cri, pair, choice, over)));
            }
            threads.add(Thread.ofVirtual().start(() -> createContainers(cri, over)));
            Thread.sleep(random.nextInt(LONGEST_MILLIS));
            NODE.server().kill();
            over.set(true);
            for (Thread thread : threads) {
                thread.join();
            }
        }
    }

    private void pullAndRemove(Cri cri, List<String> references, Random choice, AtomicBoolean over) {
        while (!over.get()) {
            String reference = references.get(choice.nextInt(references.size()));
            boolean pull = choice.nextInt(3) > 0;
            Boolean before = expected.get(reference);
            // A call that the kill cuts off may have done its work or not; a pull of what is here changes nothing.
            if (!pull || !Boolean.TRUE.equals(before)) {
                expected.remove(reference);
            }
            try {
                if (pull) {
                    cri.images()
                            .pullImage(PullImageRequest.newBuilder().setImage(spec(reference)).build());
                } else {
                    cri.images()
                            .removeImage(RemoveImageRequest.newBuilder().setImage(spec(reference)).build());
                }
                expected.put(reference, pull);
                finished.incrementAndGet();
            } catch (StatusRuntimeException e) {
                note(e);
                return;
            }
        }
    }

    private void createContainers(Cri cri, AtomicBoolean over) {
        while (!over.get()) {
            try (PodHandle pod = PodHandle.run(cri, Configs.hostNetworkPod("crash", NODE.logs()), "")) {
                pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
                finished.incrementAndGet();
            } catch (StatusRuntimeException e) {
                note(e);
                return;
            }
        }
    }

    private void note(StatusRuntimeException failure) {
        if (failure.getStatus().getCode() != Status.Code.UNAVAILABLE) {
            failures.add(failure);
        }
    }

    private void assertExpected(Cri cri, List<String> references, String when) {
        var present = new TreeSet<String>();
        cri.images().listImages(ListImagesRequest.getDefaultInstance()).getImagesList()
                .forEach(image -> present.addAll(image.getRepoTagsList()));
        for (String reference : references) {
            Boolean there = expected.get(reference);
            if (there != null) {
                assertThat(present.contains(reference)).as(reference + " in " + when).isEqualTo(there);
            }
        }
    }

    private static List<String> withoutOwner(StoreAudit audit, Cri cri) {
        try {
            return audit.withoutOwner(containers(cri));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Set<String> containers(Cri cri) {
        var ids = new TreeSet<String>();
        cri.runtime().listContainers(ListContainersRequest.getDefaultInstance()).getContainersList()
                .forEach(container -> ids.add(container.getId()));
        return ids;
    }

    private static void removePods(Cri cri) {
        for (PodSandbox pod : cri.runtime(Duration.ofSeconds(60))
                .listPodSandbox(ListPodSandboxRequest.getDefaultInstance()).getItemsList()) {
            cri.runtime().stopPodSandbox(
                    StopPodSandboxRequest.newBuilder().setPodSandboxId(pod.getId()).build());
            cri.runtime().removePodSandbox(
                    RemovePodSandboxRequest.newBuilder().setPodSandboxId(pod.getId()).build());
        }
    }

    private static ImageSpec spec(String reference) {
        return ImageSpec.newBuilder().setImage(reference).build();
    }
}
