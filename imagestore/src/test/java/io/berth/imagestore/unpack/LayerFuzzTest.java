package io.berth.imagestore.unpack;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.LayerLimits;
import io.berth.linux.Fd;
import io.berth.linux.FileTree;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Whatever the bytes of a layer are, they are unpacked or refused, and nothing is written beside the layer's directory. A
 * normal build runs the seeds of {@code src/test/resources}; {@code docs/registries.md} says how to fuzz.
 */
class LayerFuzzTest {
    private static final Set<Kind> REFUSALS = Set.of(Kind.CORRUPT, Kind.UNSUPPORTED, Kind.NO_SPACE);
    private static final LayerLimits SMALL = new LayerLimits(200, 1 << 20, 1000);

    @FuzzTest(maxDuration = "5m")
    void archives(byte[] data) throws IOException {
        Path parent = Files.createTempDirectory("fuzz-layer");
        try {
            Path layer = Files.createDirectory(parent.resolve("layer"));
            try {
                new LayerUnpacker(SMALL).unpackArchive(new ByteArrayInputStream(data), layer);
            } catch (ImageException e) {
                assertThat(e.kind()).describedAs("%s", e).isIn(REFUSALS);
                assertThat(e.getMessage()).startsWith("the archive");
            }
            try (Stream<Path> beside = Files.list(parent)) {
                assertThat(beside).containsExactly(layer);
            }
        } finally {
            try (Fd directory = Openat.open(RawPath.of(Objects.requireNonNull(parent.getParent())),
                    OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY)) {
                FileTree.delete(directory, RawPath.of(Objects.requireNonNull(parent.getFileName())));
            }
        }
    }
}
