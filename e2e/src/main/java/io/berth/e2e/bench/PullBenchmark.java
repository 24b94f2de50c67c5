package io.berth.e2e.bench;

import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RemoveImageRequest;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.Registry;
import java.util.Map;

/** Pull and unpack of an image whose layers are 130 MB compressed, from a registry on loopback; a new one each time. */
final class PullBenchmark implements Benchmark {
    private static final double MEGABYTE = 1e6;

    private final Registry registry;
    private long serial = System.nanoTime();

    PullBenchmark(Registry registry) {
        this.registry = registry;
    }

    @Override
    public String name() {
        return "pull";
    }

    @Override
    public int defaultRuns() {
        return 5;
    }

    @Override
    public int warmUps() {
        return 1;
    }

    @Override
    public Map<String, Double> measure(Target target) {
        serial++;
        TestImage image = FileTree.image(serial);
        String reference = registry.push("bench/tree", "v" + serial, image);
        ImageSpec spec = ImageSpec.newBuilder().setImage(reference).build();
        var watch = new Stopwatch();
        watch.time("pull_ms",
                () -> target.cri().images().pullImage(PullImageRequest.newBuilder().setImage(spec).build()));
        target.cri().images().removeImage(RemoveImageRequest.newBuilder().setImage(spec).build());
        registry.deleteStored(image);
        watch.derive("compressed_mb",
                times -> image.layers().stream().mapToLong(layer -> layer.blob().size()).sum() / MEGABYTE);
        return watch.times();
    }
}
