package io.berth.e2e.bench;

import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import java.util.List;
import java.util.SplittableRandom;

/**
 * An image like those of real programs: a few layers, most files of some kilobytes, most bytes in files of megabytes,
 * text and binaries that gzip takes to about half.
 */
final class FileTree {
    /** Unpacked sizes of the layers; compressed they are 130 MB together. */
    private static final List<Integer> LAYER_BYTES = List.of(152_000_000, 72_000_000, 38_000_000, 13_000_000);
    /** All of them fit into gzip's window. */
    private static final int WORDS = 1024;
    private static final int WORD_BYTES = 24;
    private static final double NEW_WORDS = 0.12;
    private static final int FILES_PER_DIRECTORY = 40;
    private static final double MEDIAN_FILE_BYTES = 6000;
    private static final double SPREAD = 2.2;
    private static final int MAX_FILE_BYTES = 24_000_000;

    private FileTree() {}

    /** The tree of {@code seed}; no two seeds share a file. */
    static TestImage image(long seed) {
        TestImage.Builder image = TestImage.builder();
        for (int i = 0; i < LAYER_BYTES.size(); i++) {
            image.layer(layer(new SplittableRandom(seed * LAYER_BYTES.size() + i), "layer" + i,
                    LAYER_BYTES.get(i)));
        }
        return image.build();
    }

    private static Layer layer(SplittableRandom random, String top, int bytes) {
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
        return layer.build(Compression.GZIP);
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
