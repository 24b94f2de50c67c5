package io.berth.e2e.bench;

import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RemoveImageRequest;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.Registry;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Pull and unpack of an image of 130 MB compressed, from a registry on loopback; a new one each time. They are removed after
 * the last run: ext4 uses no inode again that was freed less than five seconds ago and searches for another one, so that
 * whoever removes at once would have its next pull slowed down.
 */
final class PullBenchmark implements Benchmark {
    private static final double MEGABYTE = 1e6;

    private final Registry registry;
    private final FileTree tree;
    private final Map<Target, List<ImageSpec>> pulled = new HashMap<>();
    private long serial = System.nanoTime();

    private PullBenchmark(Registry registry, FileTree tree) {
        this.registry = registry;
        this.tree = tree;
    }

    /** One for each kind of image: a single layer and many, gzip and zstd. */
    static List<Benchmark> all(Registry registry) {
        return List.of(new PullBenchmark(registry, FileTree.oneLayer(Compression.GZIP)),
                new PullBenchmark(registry, FileTree.twelveLayers(Compression.GZIP)),
                new PullBenchmark(registry, FileTree.oneLayer(Compression.ZSTD)),
                new PullBenchmark(registry, FileTree.twelveLayers(Compression.ZSTD)));
    }

    @Override
    public String name() {
        return "pull-" + tree.layers() + "-" + tree.compression().name().toLowerCase(Locale.ROOT);
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
        TestImage image = tree.image(serial);
        String reference = registry.push("bench/tree", "v" + serial, image);
        ImageSpec spec = ImageSpec.newBuilder().setImage(reference).build();
        var watch = new Stopwatch();
        watch.time("pull_ms",
                () -> target.cri().images().pullImage(PullImageRequest.newBuilder().setImage(spec).build()));
        pulled.computeIfAbsent(target, key -> new ArrayList<>()).add(spec);
        registry.deleteStored(image);
        watch.derive("compressed_mb",
                times -> image.layers().stream().mapToLong(layer -> layer.blob().size()).sum() / MEGABYTE);
        return watch.times();
    }

    @Override
    public void finish(Target target) {
        pulled.getOrDefault(target, List.of()).forEach(spec -> target.cri().images()
                .removeImage(RemoveImageRequest.newBuilder().setImage(spec).build()));
    }
}
