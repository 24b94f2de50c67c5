package io.berth.imagestore.unpack;

import io.berth.imagestore.LayerLimits;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.registry.Digest;
import io.berth.linux.Fd;
import io.berth.linux.FileTree;
import io.berth.linux.Filesystem;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Times the unpacking of one layer beside {@code tar -x}: {@code UnpackBenchmark BLOB DIRECTORY RUNS} prints one JSON line
 * with medians in milliseconds, and of the sync that follows. DIRECTORY should be on a file system where little was deleted in
 * the last minutes: ext4 passes over every inode that was freed lately when it makes a file, which makes both ten times
 * slower. For that reason nothing is deleted before the end.
 */
final class UnpackBenchmark {
    private UnpackBenchmark() {}

    @FunctionalInterface
    private interface Unpack {
        void into(Path directory) throws Exception;
    }

    private record Times(double unpack, double sync) {}

    public static void main(String[] args) throws Exception {
        Path blob = Path.of(args[0]);
        Path directory = Path.of(args[1]);
        int runs = Integer.parseInt(args[2]);
        Descriptor descriptor = descriptor(blob);
        Times berth = median("berth", runs, directory, target -> {
            try (InputStream in = new BufferedInputStream(Files.newInputStream(blob), 64 << 10)) {
                new LayerUnpacker(LayerLimits.DEFAULT).unpack(in, descriptor, target);
            }
        });
        Times tar = median("tar", runs, directory, target -> {
            Process process = new ProcessBuilder("tar", "--xattrs", "-xpf", blob.toString(), "-C",
                    target.toString())
                    .inheritIO().start();
            if (process.waitFor() != 0) {
                throw new IOException("tar failed");
            }
        });
        try (Fd parent = Openat.open(RawPath.of(directory), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY)) {
            for (int i = 0; i < runs; i++) {
                FileTree.delete(parent, RawPath.of("berth" + i));
                FileTree.delete(parent, RawPath.of("tar" + i));
            }
        }
        System.out.printf(Locale.ROOT,
                "{\"blob\":\"%s\",\"runs\":%d,\"berth\":{\"unpackMs\":%.0f,\"syncMs\":%.0f},\"tar\":{\"unpackMs\":%.0f,\"syncMs\":%.0f}}%n",
                blob.getFileName(), runs, berth.unpack, berth.sync, tar.unpack, tar.sync);
    }

    private static Times median(String name, int runs, Path directory, Unpack unpack) throws Exception {
        double[] unpackMillis = new double[runs];
        double[] syncMillis = new double[runs];
        try (Fd parent = Openat.open(RawPath.of(directory), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY)) {
            for (int i = 0; i < runs; i++) {
                Path target = Files.createDirectory(directory.resolve(name + i));
                Filesystem.sync(parent, directory);
                long start = System.nanoTime();
                unpack.into(target);
                long unpacked = System.nanoTime();
                Filesystem.sync(parent, directory);
                unpackMillis[i] = (unpacked - start) / 1e6;
                syncMillis[i] = (System.nanoTime() - unpacked) / 1e6;
            }
        }
        Arrays.sort(unpackMillis);
        Arrays.sort(syncMillis);
        return new Times(unpackMillis[runs / 2], syncMillis[runs / 2]);
    }

    private static Descriptor descriptor(Path blob) throws Exception {
        MessageDigest hash = MessageDigest.getInstance("SHA-256");
        try (InputStream in = Files.newInputStream(blob)) {
            byte[] buffer = new byte[1 << 16];
            for (int count; (count = in.read(buffer)) > 0;) {
                hash.update(buffer, 0, count);
            }
        }
        Digest digest = new Digest("sha256", HexFormat.of().formatHex(hash.digest()));
        return new Descriptor("", digest.toString(), Files.size(blob), List.of(), Map.of());
    }
}
