package io.berth.runtime.container;

import io.berth.runtime.cgroup.Cgroups;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Set;

/** How readily the kernel ends the processes of a container that lives ({@code oom_score_adj} of proc(5)). */
final class OomScores {
    /** A child that is forked meanwhile has its parent's old score; this many looks find those, too. */
    private static final int LOOKS = 8;

    private OomScores() {}

    /**
     * Gives every process of the cgroup {@code score}; later ones inherit it.
     *
     * @throws IOException naming the process whose score cannot be set
     */
    static void set(Cgroups cgroups, String cgroupsPath, int score) throws IOException {
        Set<Long> done = new HashSet<>();
        boolean found = true;
        for (int look = 0; found && look < LOOKS; look++) {
            found = false;
            for (long pid : cgroups.processes(cgroupsPath)) {
                if (done.add(pid)) {
                    found = true;
                    set(pid, score);
                }
            }
        }
    }

    private static void set(long pid, int score) throws IOException {
        Path file = Path.of("/proc", Long.toString(pid), "oom_score_adj");
        try {
            Files.writeString(file, Integer.toString(score), StandardOpenOption.WRITE);
        } catch (NoSuchFileException | FileNotFoundException e) {
            // It has ended.
            return;
        } catch (IOException e) {
            if (Files.exists(file)) {
                throw new IOException("set " + file + " to " + score + ": " + e.getMessage(), e);
            }
        }
    }
}
