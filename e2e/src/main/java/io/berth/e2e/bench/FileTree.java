package io.berth.e2e.bench;

import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Images like those of real programs: most files of some kilobytes, most bytes in files of megabytes, text and binaries that
 * gzip takes to about half.
 *
 * @param layerBytes unpacked sizes of the layers
 */
record FileTree(List<Integer> layerBytes, Compression compression) {
    /** Compressed it is 130 MB. */
    private static final List<Integer> ONE_LAYER = List.of(275_000_000);
    private static final List<Integer> TWELVE_LAYERS = List.of(100_000_000, 60_000_000, 35_000_000,
            25_000_000, 18_000_000,
            12_000_000, 9_000_000, 6_000_000, 4_000_000, 3_000_000, 2_000_000, 1_000_000);
    /** All of them fit into gzip's window. */
    private static final int WORDS = 1024;
    private static final int WORD_BYTES = 24;
    private static final double NEW_WORDS = 0.12;
    private static final int FILES_PER_DIRECTORY = 40;
    private static final double MEDIAN_FILE_BYTES = 6000;
    private static final double SPREAD = 2.2;
    private static final int MAX_FILE_BYTES = 24_000_000;

    static FileTree oneLayer(Compression compression) {
        return new FileTree(ONE_LAYER, compression);
    }

    static FileTree twelveLayers(Compression compression) {
        return new FileTree(TWELVE_LAYERS, compression);
    }

    int layers() {
        return layerBytes.size();
    }

    /** The image of {@code seed}; no two seeds share a file. */
    TestImage image(long seed) {
        TestImage.Builder image = TestImage.builder();
        for (int i = 0; i < layers(); i++) {
            image.layer(layer(new SplittableRandom(seed * layers() + i), "layer" + i, layerBytes.get(i)));
        }
        return image.build();
    }

    private Layer layer(SplittableRandom random, String top, int bytes) {
        Layer.Builder layer = Layer.builder().directory(top, 0755);
        byte[] vocabulary = vocabulary(random);
        String directory = top;
        int left = bytes;
        for (int i = 0; left > 0; i++) {
            if (i % FILES_PER_DIRECTORY == 0) {
                directory = top + "/dir" + i;
                layer.directory(directory, 0755);
            }
            double drawn = MEDIAN_FILE_BYTES * Math.exp(SPREAD * random.nextGaussian());
            int size = (int) Math.clamp(drawn, 1, Math.min(MAX_FILE_BYTES, left));
            layer.file(directory + "/file" + i, 0644, content(random, vocabulary, size));
            left -= size;
        }
        return layer.build(compression);
    }

    private static byte[] vocabulary(SplittableRandom random) {
        var words = new byte[WORDS * WORD_BYTES];
        random.nextBytes(words);
        return words;
    }

    /** Some words of the vocabulary, which gzip finds again, and some new ones, which it cannot. */
    private static byte[] content(SplittableRandom random, byte[] vocabulary, int size) {
        var content = new byte[size];
        var fresh = new byte[WORD_BYTES];
        for (int at = 0; at < size; at += WORD_BYTES) {
            int length = Math.min(WORD_BYTES, size - at);
            if (random.nextDouble() < NEW_WORDS) {
                random.nextBytes(fresh);
                System.arraycopy(fresh, 0, content, at, length);
            } else {
                System.arraycopy(vocabulary, random.nextInt(WORDS) * WORD_BYTES, content, at, length);
            }
        }
        return content;
    }
}
