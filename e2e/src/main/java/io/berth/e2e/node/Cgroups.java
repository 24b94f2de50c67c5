package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The cgroups of the node, as its file systems show them. */
public final class Cgroups {
    private static final Path TOP = Path.of("/sys/fs/cgroup");

    private Cgroups() {}

    /** All of all hierarchies, parents before their children. One that is removed meanwhile is no error. */
    public static List<Path> all() {
        return below(TOP);
    }

    /** Those of one hierarchy, or below one cgroup, and {@code top} itself. */
    public static List<Path> below(Path top) {
        try {
            while (true) {
                var walk = new Walk();
                Files.walkFileTree(top, walk);
                if (walk.whole) {
                    return walk.found;
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static final class Walk extends SimpleFileVisitor<Path> {
        private final List<Path> found = new ArrayList<>();
        private boolean whole = true;

        @Override
        public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
            found.add(directory);
            return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult visitFileFailed(Path gone, IOException e) {
            return FileVisitResult.CONTINUE;
        }

        /** One that could not be read to its end, and not for its own removal, may have others than those found. */
        @Override
        public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException e) {
            whole &= e == null || !Files.exists(directory);
            return FileVisitResult.CONTINUE;
        }
    }
}
