package io.berth.runtime.stats;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/**
 * What processes hold open. One that ends while it is looked at counts for nothing.
 *
 * @param sockets of {@code descriptors} those that are sockets
 */
record ProcessFiles(long descriptors, long sockets) {
    private static final String OPEN_FILES = "Max open files";

    static ProcessFiles count(Path proc, List<Long> pids) {
        long descriptors = 0;
        long sockets = 0;
        for (long pid : pids) {
            try (DirectoryStream<Path> open = Files.newDirectoryStream(proc.resolve(pid + "/fd"))) {
                for (Path descriptor : open) {
                    descriptors++;
                    sockets += isSocket(descriptor) ? 1 : 0;
                }
            } catch (IOException e) {
                // It has ended, and has no files any more.
            }
        }
        return new ProcessFiles(descriptors, sockets);
    }

    /** How many files a process may open; empty where that is unlimited or the process has ended. */
    static OptionalLong openFilesLimit(Path proc, long pid) {
        try {
            return Files.readAllLines(proc.resolve(pid + "/limits")).stream()
                    .filter(line -> line.startsWith(OPEN_FILES))
                    .map(line -> line.substring(OPEN_FILES.length()).strip().split("\\s+")[0])
                    .filter(limit -> !limit.equals("unlimited"))
                    .mapToLong(Long::parseLong).findFirst();
        } catch (IOException e) {
            return OptionalLong.empty();
        }
    }

    private static boolean isSocket(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString().startsWith("socket:");
        } catch (IOException e) {
            return false;
        }
    }
}
