package io.berth.runtime.cni;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folder of network configurations. Each use looks at names, sizes and times of its few files, and parses them again only where
 * one differs: no watcher can miss a change, a folder that comes later, or an overflow.
 */
final class ConfigDirectory {
    private static final Logger LOG = LoggerFactory.getLogger(ConfigDirectory.class);

    private final Path directory;
    private final ReentrantLock lock = new ReentrantLock();
    private List<Version> seen = List.of();
    private Loaded loaded;

    private record Version(Path file, long size, FileTime modified, Object key) {}

    /**
     * What the folder holds.
     *
     * @param config the first valid configuration by file name
     * @param file where it is from
     * @param problem what is wrong with the files before it, or with all of them; empty for nothing
     */
    record Loaded(Optional<NetworkConfig> config, Optional<Path> file, String problem) {}

    ConfigDirectory(Path directory) {
        this.directory = directory;
        this.loaded = nothing(List.of());
    }

    /** The folder's content as of now. */
    Loaded load() {
        lock.lock();
        try {
            List<Version> now = versions();
            if (!now.equals(seen)) {
                loaded = parse(now);
                seen = now;
                LOG.atInfo().addKeyValue("directory", directory)
                        .addKeyValue("network", loaded.config.map(NetworkConfig::name).orElse(""))
                        .addKeyValue("problem", loaded.problem).log("CNI configuration read");
            }
            return loaded;
        } catch (IOException e) {
            return new Loaded(Optional.empty(), Optional.empty(), "cannot read " + directory + ": " + e);
        } finally {
            lock.unlock();
        }
    }

    private List<Version> versions() throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.list(directory)) {
            files = all.filter(ConfigDirectory::isConfig).sorted().toList();
        } catch (NoSuchFileException | NotDirectoryException e) {
            return List.of();
        }
        List<Version> versions = new ArrayList<>();
        for (Path file : files) {
            try {
                BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
                versions.add(new Version(file, attributes.size(), attributes.lastModifiedTime(),
                        String.valueOf(attributes.fileKey())));
            } catch (NoSuchFileException e) {
                // Taken away since the listing, or a symlink to nowhere: as good as not there.
                LOG.atDebug().addKeyValue("file", file).log("CNI configuration is gone");
            }
        }
        return versions;
    }

    private Loaded parse(List<Version> versions) {
        List<String> problems = new ArrayList<>();
        for (Version version : versions) {
            try {
                NetworkConfig config = NetworkConfig
                        .parse(Files.readString(version.file, StandardCharsets.UTF_8));
                return new Loaded(Optional.of(config), Optional.of(version.file),
                        String.join("; ", problems));
            } catch (IOException e) {
                problems.add(
                        version.file + ": " + (e instanceof CniException ? e.getMessage() : e.toString()));
            }
        }
        return nothing(problems);
    }

    private Loaded nothing(List<String> problems) {
        String problem = problems.isEmpty()
                ? "no network configuration (*.conflist, *.conf, *.json) in " + directory
                        + ": install a network add-on, or put one there"
                : "no valid network configuration: " + String.join("; ", problems);
        return new Loaded(Optional.empty(), Optional.empty(), problem);
    }

    private static boolean isConfig(Path file) {
        String name = file.toString();
        return name.endsWith(".conflist") || name.endsWith(".conf") || name.endsWith(".json");
    }
}
