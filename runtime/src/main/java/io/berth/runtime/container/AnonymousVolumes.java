package io.berth.runtime.container;

import io.berth.cri.v1.Mount;
import io.berth.imagestore.Image;
import io.berth.linux.IdMaps;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.oci.RootfsFiles;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * The volumes that an image declares ({@code VOLUME}): each a directory of the container's own outside of the overlay, with what
 * the image has there. They go with the container.
 */
final class AnonymousVolumes {
    private AnonymousVolumes() {}

    /**
     * Makes them in {@code directory}. Where the request mounts something itself, that is the volume.
     *
     * @param rootfs the container's mounted root filesystem, before anything runs in it
     * @param owners the pod's user namespace, whose root owns what the image does not have
     * @return the directories by their path in the container
     * @throws LifecycleException INVALID where the image has a file there
     */
    static Map<Path, Path> make(Image image, List<Mount> requested, Path rootfs, Path directory,
            Optional<IdMaps> owners) throws IOException, LifecycleException {
        Set<Path> taken = new HashSet<>();
        requested.forEach(mount -> taken.add(Path.of(mount.getContainerPath()).normalize()));
        Map<Path, Path> volumes = new TreeMap<>();
        for (String declared : image.config().volumes()) {
            Path path = Path.of("/").resolve(declared).normalize();
            if (path.getNameCount() > 0 && !taken.contains(path) && !volumes.containsKey(path)) {
                Path volume = directory.resolve(Integer.toString(volumes.size()));
                Files.createDirectories(directory);
                fill(volume, RootfsFiles.resolve(rootfs, path.toString()), path, owners);
                volumes.put(path, volume);
            }
        }
        return volumes;
    }

    private static void fill(Path volume, Optional<Path> content, Path path, Optional<IdMaps> owners)
            throws IOException, LifecycleException {
        if (content.isEmpty()) {
            Files.createDirectory(volume);
            if (owners.isPresent()) {
                Files.setAttribute(volume, "unix:uid", owners.get().user(0));
                Files.setAttribute(volume, "unix:gid", owners.get().group(0));
            }
        } else if (Files.isDirectory(content.get())) {
            copy(content.get(), volume);
        } else {
            throw new LifecycleException(LifecycleException.Kind.INVALID, "the image declares the volume "
                    + path + " and has a file there; mount something else at that path, or mend the image");
        }
    }

    /** A directory with all below it: types, owners, modes, times, extended attributes. What had two names becomes two files. */
    private static void copy(Path from, Path to) throws IOException {
        Files.walkFileTree(from, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
                    throws IOException {
                return copyOne(directory);
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                return copyOne(file);
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException failure)
                    throws IOException {
                if (failure != null) {
                    throw failure;
                }
                // What was copied into it has changed its time.
                Files.setLastModifiedTime(to.resolve(from.relativize(directory)),
                        Files.getLastModifiedTime(directory, LinkOption.NOFOLLOW_LINKS));
                return FileVisitResult.CONTINUE;
            }

            private FileVisitResult copyOne(Path path) throws IOException {
                Files.copy(path, to.resolve(from.relativize(path)), StandardCopyOption.COPY_ATTRIBUTES,
                        LinkOption.NOFOLLOW_LINKS);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
