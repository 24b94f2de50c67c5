package io.berth.e2e.powerloss;

import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ListImagesRequest;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RemoveImageRequest;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.CniNetwork;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Registry;
import io.berth.e2e.powerloss.Journal.Known;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;

/**
 * A node whose daemon and registry have their files on a disk that outlives its boots, and whose {@code /run} does not.
 *
 * @param disk for all that stays
 * @param images references of images to pull and remove, without busybox'
 */
record PowerLossNode(Path disk, Journal journal, Registry registry, BerthDaemon daemon, String busybox,
        List<String> images) implements AutoCloseable {
    private static final int IMAGES = 8;
    private static final int FILES = 40;
    private static final int LARGEST_FILE_BYTES = 60_000;
    private static final Path STATE = Path.of("/run/berth-power-loss");

    /** Starts it after a boot. The first one fills the registry, which no cut may hit: it is not what is tested. */
    static PowerLossNode start(Path disk, Journal journal) throws IOException {
        Files.createDirectories(disk);
        var registry = new Registry(disk.resolve("registry"));
        registry.start();
        String names = registry.authority() + "/power/";
        var images = new ArrayList<String>();
        for (int i = 0; i < IMAGES; i++) {
            images.add(names + "image" + i + ":1");
        }
        if (journal.isEmpty()) {
            Layer base = Busybox.layer();
            registry.push("power/busybox", "1", TestImage.builder().layer(base).build());
            for (int i = 0; i < IMAGES; i++) {
                registry.push("power/image" + i, "1", image(base, i));
            }
            Command.output("sync");
        }
        Path registriesConf = Files.writeString(disk.resolve("registries.conf"), """
            [[registry]]
            location = "%s"
            insecure = true
            """.formatted(registry.authority()));
        Files.createDirectories(STATE);
        var daemon = new BerthDaemon(BerthDaemon.Options
                .in(STATE, new CniNetwork(disk.resolve("cni")), registriesConf)
                .withRoot(disk.resolve("root")));
        return new PowerLossNode(disk, journal, registry, daemon, names + "busybox:1", images);
    }

    /** Each two share a layer, all share {@code base}. */
    private static TestImage image(Layer base, int number) {
        return TestImage.builder().layer(base).layer(layer("pair" + number / 2))
                .layer(layer("own" + number)).build();
    }

    private static Layer layer(String name) {
        Layer.Builder layer = Layer.builder();
        var content = new Random(name.hashCode());
        for (int i = 0; i < FILES; i++) {
            var bytes = new byte[content.nextInt(LARGEST_FILE_BYTES)];
            content.nextBytes(bytes);
            layer.file("opt/" + name + "/" + i, 0644, bytes);
        }
        return layer.build(Compression.GZIP);
    }

    /** Pulls {@code reference}, and notes that when it is answered. */
    void pull(Cri cri, String reference) {
        String what = "image " + reference;
        if (!journal.isThere(what)) {
            journal.note(Known.UNKNOWN, what);
        }
        cri.images().pullImage(PullImageRequest.newBuilder().setImage(spec(reference)).build());
        journal.note(Known.THERE, what);
    }

    /** Removes {@code reference}; from before that on nobody can say whether it is there. */
    void remove(Cri cri, String reference) {
        journal.note(Known.UNKNOWN, "image " + reference);
        cri.images().removeImage(RemoveImageRequest.newBuilder().setImage(spec(reference)).build());
        journal.note(Known.GONE, "image " + reference);
    }

    /** Tags of all images that the daemon lists. */
    Set<String> listed(Cri cri) {
        var tags = new TreeSet<String>();
        cri.images().listImages(ListImagesRequest.getDefaultInstance()).getImagesList()
                .forEach(image -> tags.addAll(image.getRepoTagsList()));
        return tags;
    }

    /** Where host-local keeps a file for each address in use. */
    Path leases() {
        return disk.resolve("cni/leases/e2e");
    }

    /** Where pods log to. */
    Path logs() {
        return disk.resolve("logs");
    }

    private static ImageSpec spec(String reference) {
        return ImageSpec.newBuilder().setImage(reference).build();
    }

    @Override
    public void close() {
        daemon.stop();
        registry.stop();
    }
}
