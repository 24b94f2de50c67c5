package io.berth.runtime.sandbox;

import io.berth.cri.v1.IDMapping;
import io.berth.linux.DetachedMount;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.FilesystemContext;
import io.berth.linux.IdMaps;
import io.berth.linux.LinuxException;
import io.berth.linux.Mounts;
import io.berth.linux.NamespaceType;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.oci.KernelVersion;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * User namespaces: those that own a sandbox's other namespaces, and those that only say how a mount's IDs are mapped. A process
 * with threads cannot make one, so {@code unshare} of util-linux does, and lives only until its namespaces are bound or open.
 */
public final class UserNamespaces {
    /** What {@link #missing} tries with. */
    private static final IdMaps TRIAL = new IdMaps(List.of(new IdMaps.Range(0, 65_536, 65_536)),
            List.of(new IdMaps.Range(0, 65_536, 65_536)));
    private static final String FIELD = "linux.security_context.namespace_options.userns_options.";

    private final Optional<Path> unshare;

    UserNamespaces(Optional<Path> unshare) {
        this.unshare = unshare;
    }

    /** With the {@code unshare} that a search path has. */
    public static UserNamespaces ofPath(@Nullable String searchPath) {
        for (String directory : (searchPath == null ? "/usr/bin:/bin" : searchPath).split(":")) {
            Path candidate = Path.of(directory, "unshare");
            if (Files.isExecutable(candidate)) {
                return new UserNamespaces(Optional.of(candidate));
            }
        }
        return new UserNamespaces(Optional.empty());
    }

    /** CRI mappings as the kernel has them. */
    public static IdMaps maps(List<IDMapping> users, List<IDMapping> groups) {
        return new IdMaps(ranges(users), ranges(groups));
    }

    /**
     * Why this node can give no pod a user namespace: it makes none, cannot map the IDs of images and of a pod's tmpfs volumes,
     * or the pod's users could not reach their files. Empty where it can. Tries it.
     *
     * @param images a directory of the file system that holds the images' layers
     * @param reached directories where containers' files are
     */
    public Optional<String> missing(Path images, List<Path> reached, KernelVersion kernel) {
        if (!kernel.atLeast(5, 19)) {
            return Optional.of("overlayfs takes id-mapped layers since Linux 5.19, this is " + kernel);
        }
        try (Fd namespace = open(TRIAL, "");
                DetachedMount layers = DetachedMount.cloneOf(images, false);
                FilesystemContext context = FilesystemContext.open("tmpfs");
                DetachedMount tmpfs = context.mount(Set.of())) {
            layers.mapIds(namespace, false);
            tmpfs.mapIds(namespace, false);
            return closed(reached);
        } catch (LinuxException e) {
            String why = String.valueOf(e.getMessage());
            return Optional.of(e.errno() == Errno.EINVAL
                    ? "Linux " + kernel + " cannot map the IDs of the file system of " + images
                            + ", or of a tmpfs (it can since 6.3): " + why
                    : why);
        } catch (IOException | LifecycleException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }

    private static Optional<String> closed(List<Path> reached) throws IOException {
        for (Path path : reached) {
            for (Path directory = path.toRealPath(); directory != null; directory = directory.getParent()) {
                if (!Files.getPosixFilePermissions(directory).contains(PosixFilePermission.OTHERS_EXECUTE)) {
                    return Optional.of("root of such a pod is another user of the node, and the directory "
                            + directory + " is closed to others: chmod o+x " + directory);
                }
            }
        }
        return Optional.empty();
    }

    /**
     * Opens a new user namespace with {@code maps}, which lives as long as its descriptor.
     *
     * @param field where the request has them, for errors
     * @throws LifecycleException PRECONDITION where the node cannot make user namespaces, INVALID where it refuses the maps
     */
    public Fd open(IdMaps maps, String field) throws IOException, LifecycleException {
        return unshared(List.of(NamespaceType.USER), maps, field,
                proc -> Openat.open(RawPath.of(proc.resolve("ns/user")), OpenFlags.O_RDONLY));
    }

    /**
     * Makes a user namespace with {@code maps} and the other namespaces of {@code pins} in it, and binds each to its file.
     *
     * @throws LifecycleException PRECONDITION where the node cannot make user namespaces, INVALID where it refuses the maps
     */
    void pin(Map<NamespaceType, Path> pins, IdMaps maps) throws IOException, LifecycleException {
        unshared(pins.keySet(), maps, FIELD, proc -> {
            for (Map.Entry<NamespaceType, Path> pin : pins.entrySet()) {
                Mounts.bind(proc.resolve("ns").resolve(pin.getKey().file()), pin.getValue(), false);
            }
            return true;
        });
    }

    /** What is taken from the process that has the namespaces, by its directory of /proc. */
    @FunctionalInterface
    private interface Taken<T> {
        T take(Path proc) throws IOException;
    }

    private <T> T unshared(Collection<NamespaceType> types, IdMaps maps, String field, Taken<T> taken)
            throws IOException, LifecycleException {
        List<String> command = new ArrayList<>();
        command.add(unshare.orElseThrow(() -> new LifecycleException(LifecycleException.Kind.PRECONDITION,
                "user namespaces need the command unshare on the daemon's PATH: install the package util-linux"))
                .toString());
        for (NamespaceType type : types) {
            command.add("--" + type.file());
        }
        // cat echoes what it reads: the answer says that unshare is through, and the end of its input ends it.
        command.add("cat");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        try {
            awaitUnshared(process);
            Path proc = Path.of("/proc", Long.toString(process.pid()));
            writeMap(proc.resolve("uid_map"), field + "uids", maps.users());
            writeMap(proc.resolve("gid_map"), field + "gids", maps.groups());
            return taken.take(proc);
        } finally {
            process.destroyForcibly();
        }
    }

    private static void awaitUnshared(Process process) throws IOException, LifecycleException {
        process.getOutputStream().write('\n');
        process.getOutputStream().flush();
        if (process.getInputStream().read() != '\n') {
            String words = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                    .strip();
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION,
                    "this node makes no user namespace: " + words
                            + " (see sysctl user.max_user_namespaces)");
        }
    }

    private static void writeMap(Path file, String field, List<IdMaps.Range> ranges)
            throws IOException, LifecycleException {
        String map = IdMaps.text(ranges);
        try {
            Files.writeString(file, map, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, field
                    + ": the kernel refuses the ranges \"" + map.strip().replace('\n', ',') + "\": "
                    + e.getMessage(), e);
        }
    }

    private static List<IdMaps.Range> ranges(List<IDMapping> mappings) {
        return mappings.stream()
                .map(mapping -> new IdMaps.Range(Integer.toUnsignedLong(mapping.getContainerId()),
                        Integer.toUnsignedLong(mapping.getHostId()),
                        Integer.toUnsignedLong(mapping.getLength())))
                .toList();
    }
}
