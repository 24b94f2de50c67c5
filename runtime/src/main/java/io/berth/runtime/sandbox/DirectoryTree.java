package io.berth.runtime.sandbox;

import io.berth.linux.Mounts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Takes apart a directory with mounts in it. */
final class DirectoryTree {
    private DirectoryTree() {}

    /**
     * Unmounts all that is mounted at or below {@code path} and deletes the rest. Symlinks are deleted, never followed; what a
     * mount shows is never deleted. Absent is success.
     */
    static void remove(Path path) throws IOException {
        // Before looking inside: Files.walkFileTree would have opened the directory, and see the mount's files.
        if (Mounts.isMountPoint(path)) {
            Mounts.unmountAll(path);
        }
        if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
            for (Path child : children(path)) {
                remove(child);
            }
        }
        Files.deleteIfExists(path);
    }

    private static List<Path> children(Path directory) throws IOException {
        try (Stream<Path> children = Files.list(directory)) {
            return children.toList();
        }
    }
}
