package io.berth.imagestore.unpack;

import com.github.luben.zstd.Zstd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.SplittableRandom;
import java.util.zip.GZIPOutputStream;

/** Bytes that compress like those of programs: some that came before, some new ones. */
final class Sample {
    static final int BYTES = 32 << 20;

    private static final int WORDS = 1024;
    private static final int WORD_BYTES = 24;
    private static final double NEW_WORDS = 0.12;
    private static final int ZSTD_LEVEL = 3;

    private Sample() {}

    static byte[] plain() {
        SplittableRandom random = new SplittableRandom(1);
        byte[] vocabulary = new byte[WORDS * WORD_BYTES];
        random.nextBytes(vocabulary);
        byte[] fresh = new byte[WORD_BYTES];
        byte[] plain = new byte[BYTES];
        for (int at = 0; at < BYTES; at += WORD_BYTES) {
            int length = Math.min(WORD_BYTES, BYTES - at);
            boolean isNew = random.nextDouble() < NEW_WORDS;
            random.nextBytes(fresh);
            System.arraycopy(isNew ? fresh : vocabulary, isNew ? 0 : random.nextInt(WORDS) * WORD_BYTES, plain, at,
                    length);
        }
        return plain;
    }

    static byte[] gzip(byte[] plain) throws IOException {
        ByteArrayOutputStream packed = new ByteArrayOutputStream(plain.length / 2);
        try (GZIPOutputStream gzip = new GZIPOutputStream(packed)) {
            gzip.write(plain);
        }
        return packed.toByteArray();
    }

    static byte[] zstd(byte[] plain) {
        return Zstd.compress(plain, ZSTD_LEVEL);
    }
}
