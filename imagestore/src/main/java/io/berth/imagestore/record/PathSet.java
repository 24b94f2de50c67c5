package io.berth.imagestore.record;

import java.security.SecureRandom;
import java.util.Arrays;

/**
 * Paths, by 64 bits of each: sixteen bytes where a set of strings takes two hundred, and a layer may have millions. The hash
 * is another in each process, so nobody can make a file whose name passes for one that is here.
 */
final class PathSet {
    private static final long MULTIPLIER = new SecureRandom().nextLong() | 1;

    private long[] hashes = new long[1 << 10];
    private int size;

    void add(String path) {
        if (size * 2 >= hashes.length) {
            long[] before = hashes;
            hashes = new long[before.length * 2];
            Arrays.stream(before).filter(hash -> hash != 0).forEach(hash -> hashes[slot(hash)] = hash);
        }
        long hash = hash(path);
        int slot = slot(hash);
        if (hashes[slot] == 0) {
            hashes[slot] = hash;
            size++;
        }
    }

    boolean contains(String path) {
        return hashes[slot(hash(path))] != 0;
    }

    private int slot(long hash) {
        int slot = (int) (hash >>> 33) & (hashes.length - 1);
        while (hashes[slot] != 0 && hashes[slot] != hash) {
            slot = (slot + 1) & (hashes.length - 1);
        }
        return slot;
    }

    private static long hash(String path) {
        long hash = MULTIPLIER;
        for (int i = 0; i < path.length(); i++) {
            hash = (hash ^ path.charAt(i)) * MULTIPLIER;
            hash ^= hash >>> 29;
        }
        return hash == 0 ? 1 : hash;
    }
}
