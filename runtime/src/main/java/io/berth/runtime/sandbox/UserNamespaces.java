package io.berth.runtime.sandbox;

import io.berth.cri.v1.IDMapping;
import io.berth.linux.Mounts;
import io.berth.linux.NamespaceType;
import io.berth.runtime.lifecycle.LifecycleException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * User namespaces that own a sandbox's other namespaces. A process with threads cannot make one, so {@code unshare} of util-linux does,
 * and lives only until its namespaces are bound.
 */
final class UserNamespaces {
    private final Optional<Path> unshare;

    UserNamespaces(Optional<Path> unshare) {
        this.unshare = unshare;
    }

    /** With the {@code unshare} that a search path has. */
    static UserNamespaces ofPath(@Nullable String searchPath) {
        for (String directory : (searchPath == null ? "/usr/bin:/bin" : searchPath).split(":")) {
            Path candidate = Path.of(directory, "unshare");
            if (Files.isExecutable(candidate)) {
                return new UserNamespaces(Optional.of(candidate));
            }
        }
        return new UserNamespaces(Optional.empty());
    }

    /**
     * Makes a user namespace with {@code maps} and the other namespaces of {@code pins} in it, and binds each to its file.
     *
     * @throws LifecycleException PRECONDITION where the node cannot make user namespaces, INVALID where it refuses the maps
     */
    void pin(Map<NamespaceType, Path> pins, NamespacePlan.IdMaps maps)
            throws IOException, LifecycleException {
        List<String> command = new ArrayList<>();
        command.add(unshare.orElseThrow(() -> new LifecycleException(LifecycleException.Kind.PRECONDITION,
                "user namespaces need the command unshare on the daemon's PATH: install the package util-linux"))
                .toString());
        for (NamespaceType type : pins.keySet()) {
            command.add("--" + type.file());
        }
        // cat echoes what it reads: the answer says that unshare is through, and the end of its input ends it.
        command.add("cat");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        try {
            awaitUnshared(process);
            Path proc = Path.of("/proc", Long.toString(process.pid()));
            writeMap(proc.resolve("uid_map"), "uids", maps.users());
            writeMap(proc.resolve("gid_map"), "gids", maps.groups());
            for (Map.Entry<NamespaceType, Path> pin : pins.entrySet()) {
                Mounts.bind(proc.resolve("ns").resolve(pin.getKey().file()), pin.getValue(), false);
            }
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

    private static void writeMap(Path file, String field, List<IDMapping> mappings)
            throws IOException, LifecycleException {
        StringBuilder map = new StringBuilder();
        for (IDMapping mapping : mappings) {
            map.append(Integer.toUnsignedString(mapping.getContainerId())).append(' ')
                    .append(Integer.toUnsignedString(mapping.getHostId())).append(' ')
                    .append(Integer.toUnsignedString(mapping.getLength())).append('\n');
        }
        try {
            Files.writeString(file, map, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw new LifecycleException(LifecycleException.Kind.INVALID,
                    "linux.security_context.namespace_options.userns_options." + field
                            + ": the kernel refuses the ranges \""
                            + map.toString().strip().replace('\n', ',') + "\": " + e.getMessage(),
                    e);
        }
    }
}
