package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RemoveImageRequest;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.image.Blob;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthCommand;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.Node;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** A layer much larger than the daemon's memory: ten GiB, or as many as {@code e2e.layer.gibibytes} says. */
@Testcontainers
final class LargeLayerIT {
    private static final int GIBIBYTES = Integer.getInteger("e2e.layer.gibibytes", 10);
    private static final int PIECE_BYTES = 64 << 20;
    /** Of each MiB the beginning is random: zeros alone would be beyond the limit for how much a blob may unpack to. */
    private static final int RANDOM_BYTES = 2 << 10;
    /** The daemon is shipped with 256 MiB; a layer needs much less. */
    private static final String SMALL_HEAP = "-Xmx96m";
    private static final long MOST_RESIDENT_BYTES = 400L << 20;

    @Container
    static final Node NODE = new Node();

    @Test
    void aLayerOfManyGibibytesIsPulledVerifiedAndRemovedInASmallHeap() throws Exception {
        String reference = NODE.registry().push("large/layer", "1",
                TestImage.builder().layer(layer()).build());
        Path directory = Files.createTempDirectory(Node.workspace(), "l");
        var daemon = new BerthDaemon(BerthDaemon.Options
                .in(directory, NODE.network(), NODE.registriesConf())
                .withEnvironment(Map.of("BERTH_JAVA_OPTS", SMALL_HEAP)));
        daemon.start();
        try (Cri cri = Cri.connect(daemon.socket())) {
            long free = Files.getFileStore(directory).getUsableSpace();
            cri.images().withDeadlineAfter(15, TimeUnit.MINUTES)
                    .pullImage(PullImageRequest.newBuilder().setImage(spec(reference)).build());
            assertThat(new BerthCommand(daemon.configuration()).imageDone("verify", reference))
                    .contains(": clean");
            assertThat(peakBytes(daemon.pid())).as("the daemon's memory at its peak")
                    .isLessThan(MOST_RESIDENT_BYTES);

            cri.images().removeImage(RemoveImageRequest.newBuilder().setImage(spec(reference)).build());
            assertThat(directory.resolve("root/images/layers")).isEmptyDirectory();
            // Others use this disk, too.
            assertThat(free - Files.getFileStore(directory).getUsableSpace()).as("not given back at once")
                    .isLessThan((long) GIBIBYTES << 29);
        } finally {
            daemon.stop();
        }
    }

    /** Files of one GiB, all of them the same piece again and again: gzip may be put together of members. */
    private static Layer layer() throws Exception {
        byte[] piece = new byte[PIECE_BYTES];
        byte[] random = new byte[RANDOM_BYTES];
        Random source = new Random(1);
        for (int at = 0; at < PIECE_BYTES; at += 1 << 20) {
            source.nextBytes(random);
            System.arraycopy(random, 0, piece, at, RANDOM_BYTES);
        }
        byte[] packed = gzip(piece);
        MessageDigest diffId = MessageDigest.getInstance("SHA-256");
        ByteArrayOutputStream blob = new ByteArrayOutputStream();
        for (int file = 0; file < GIBIBYTES; file++) {
            var entry = new TarArchiveEntry("large/" + file);
            entry.setSize(1L << 30);
            byte[] header = new byte[512];
            entry.writeEntryHeader(header);
            diffId.update(header);
            blob.writeBytes(gzip(header));
            for (long bytes = 0; bytes < 1L << 30; bytes += PIECE_BYTES) {
                diffId.update(piece);
                blob.writeBytes(packed);
            }
        }
        byte[] end = new byte[1024];
        diffId.update(end);
        blob.writeBytes(gzip(end));
        return new Layer(new Blob(blob.toByteArray()), Compression.GZIP,
                "sha256:" + HexFormat.of().formatHex(diffId.digest()));
    }

    private static byte[] gzip(byte[] plain) throws IOException {
        var out = new ByteArrayOutputStream();
        try (var gzip = new GZIPOutputStream(out, 1 << 16)) {
            gzip.write(plain);
        }
        return out.toByteArray();
    }

    private static ImageSpec spec(String reference) {
        return ImageSpec.newBuilder().setImage(reference).build();
    }

    private static long peakBytes(long pid) throws IOException {
        return Files.readAllLines(Path.of("/proc", Long.toString(pid), "status")).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10).findFirst()
                .orElseThrow();
    }
}
