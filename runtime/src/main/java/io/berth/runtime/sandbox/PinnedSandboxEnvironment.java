package io.berth.runtime.sandbox;

import io.berth.cri.v1.PodSandboxConfig;
import io.berth.linux.IdMaps;
import io.berth.linux.LinuxException;
import io.berth.linux.MountFlag;
import io.berth.linux.Mounts;
import io.berth.linux.NamespaceType;
import io.berth.linux.Namespaces;
import io.berth.linux.NetworkInterfaces;
import io.berth.linux.RawPath;
import io.berth.linux.Xattr;
import io.berth.runtime.lifecycle.LifecycleException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Sandboxes of namespaces that are bound to files, so that they live without a process.
 *
 * <p>
 * Below the sandbox's directory: {@code ns/net}, {@code ns/ipc}, {@code ns/uts}, {@code ns/user}, a tmpfs {@code shm}, and the files
 * {@code hostname}, {@code hosts}, {@code resolv.conf}.
 */
public final class PinnedSandboxEnvironment implements SandboxEnvironment {
    private static final String NAMESPACES = "ns";
    private static final String SHM = "shm";
    /** What Docker, containerd and CRI-O give, too. */
    private static final String SHM_OPTIONS = "mode=1777,size=64m";
    private static final Path HOST_SHM = Path.of("/dev/shm");

    private final Path etc;
    private final UserNamespaces userNamespaces;

    /** For the node itself. */
    public PinnedSandboxEnvironment(UserNamespaces userNamespaces) {
        this(Path.of("/etc"), userNamespaces);
    }

    PinnedSandboxEnvironment(Path etc, UserNamespaces userNamespaces) {
        this.etc = etc;
        this.userNamespaces = userNamespaces;
    }

    @Override
    public Made create(String sandboxId, Path directory, PodSandboxConfig config, Optional<String> selinux)
            throws IOException, LifecycleException {
        NamespacePlan plan = NamespacePlan.of(config);
        List<Sysctl> sysctls = Sysctl.parse(config.getLinux().getSysctlsMap(), plan);
        PodFiles files = PodFiles.of(config, plan.has(NamespaceType.NETWORK), etc);
        Files.createDirectories(directory);
        // Outside of what is undone: where another has made it, a second create must not take it down.
        Files.createDirectory(directory.resolve(NAMESPACES));
        try {
            return make(directory, plan, files, sysctls, selinux);
        } catch (IOException e) {
            undo(directory, e);
            throw new IOException(
                    "environment of sandbox " + sandboxId + " in " + directory + ": " + e.getMessage(), e);
        } catch (LifecycleException | RuntimeException e) {
            undo(directory, e);
            throw e;
        }
    }

    @Override
    public Path networkNamespace(Path directory) {
        return pin(directory, NamespaceType.NETWORK);
    }

    @Override
    public void networkAttached(Path directory, PodSandboxConfig config)
            throws IOException, LifecycleException {
        NamespacePlan plan = NamespacePlan.of(config);
        List<Sysctl> sysctls = new ArrayList<>(Sysctl.parse(config.getLinux().getSysctlsMap(), plan));
        sysctls.removeIf(sysctl -> !sysctl.ofLaterInterface());
        if (!sysctls.isEmpty()) {
            Path net = networkNamespace(directory);
            refuse(Namespaces.callIn(Map.of(NamespaceType.NETWORK, net), () -> apply(sysctls)));
        }
    }

    @Override
    public void destroy(Path directory) throws IOException {
        DirectoryTree.remove(directory);
    }

    @Override
    public boolean intact(Path directory, PodSandboxConfig config) {
        try {
            NamespacePlan plan = NamespacePlan.of(config);
            for (NamespaceType type : plan.types().keySet()) {
                if (!Mounts.isMountPoint(pin(directory, type))) {
                    return false;
                }
            }
            return !plan.has(NamespaceType.IPC) || Mounts.isMountPoint(directory.resolve(SHM));
        } catch (LinuxException | LifecycleException e) {
            return false;
        }
    }

    @Override
    public List<NetworkInterfaces.Statistics> interfaces(Path netns) throws IOException {
        return Namespaces.callIn(Map.of(NamespaceType.NETWORK, netns), NetworkInterfaces::statistics);
    }

    private void undo(Path directory, Exception cause) {
        try {
            destroy(directory);
        } catch (IOException e) {
            cause.addSuppressed(e);
        }
    }

    private Made make(Path directory, NamespacePlan plan, PodFiles files, List<Sysctl> sysctls,
            Optional<String> selinux)
            throws IOException, LifecycleException {
        // First, since it is they that the kernel may refuse.
        Map<String, Path> namespaces = pinNamespaces(directory, plan, files.hostname(), sysctls);
        Map<String, Path> made = new HashMap<>();
        made.put("hostname", write(directory.resolve("hostname"), files.hostname() + "\n", plan.user()));
        made.put("hosts", write(directory.resolve("hosts"), files.hosts(), plan.user()));
        made.put("resolv.conf", write(directory.resolve("resolv.conf"), files.resolvConf(), plan.user()));
        made.put(SHM, plan.has(NamespaceType.IPC)
                ? mountShm(directory.resolve(SHM), plan.user(), selinux)
                : HOST_SHM);
        if (selinux.isPresent()) {
            for (String name : List.of("hostname", "hosts", "resolv.conf")) {
                Xattr.set(RawPath.of(directory.resolve(name)), Xattr.SELINUX,
                        selinux.get().getBytes(StandardCharsets.UTF_8));
            }
        }
        return new Made(namespaces, Map.copyOf(made));
    }

    private Map<String, Path> pinNamespaces(Path directory, NamespacePlan plan, String hostname,
            List<Sysctl> sysctls) throws IOException, LifecycleException {
        Map<NamespaceType, Path> pins = new EnumMap<>(NamespaceType.class);
        Map<String, Path> byOciName = new HashMap<>();
        for (Map.Entry<NamespaceType, String> type : plan.types().entrySet()) {
            Path pin = pin(directory, type.getKey());
            pins.put(type.getKey(), Files.createFile(pin));
            byOciName.put(type.getValue(), pin);
        }
        List<Sysctl> now = new ArrayList<>(sysctls);
        now.removeIf(Sysctl::ofLaterInterface);
        Inside inside = new Inside(plan, hostname, now);
        if (plan.user().isPresent()) {
            userNamespaces.pin(pins, plan.user().get());
            Map<NamespaceType, Path> enter = new EnumMap<>(pins);
            enter.remove(NamespaceType.USER);
            Namespaces.callIn(enter, () -> {
                inside.run();
                return true;
            });
        } else if (!pins.isEmpty()) {
            Namespaces.pin(pins, inside);
        }
        refuse(Optional.ofNullable(inside.refusal));
        return Map.copyOf(byOciName);
    }

    private static Path write(Path file, String content, Optional<IdMaps> owners) throws IOException {
        Files.writeString(file, content, StandardCharsets.UTF_8);
        if (owners.isPresent()) {
            Files.setAttribute(file, "unix:uid", owners.get().user(0));
            Files.setAttribute(file, "unix:gid", owners.get().group(0));
        }
        // Whatever the daemon's umask: a container's users read it.
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        return file;
    }

    private static Path mountShm(Path directory, Optional<IdMaps> owners, Optional<String> selinux)
            throws IOException {
        Files.createDirectory(directory);
        String owner = owners.map(maps -> ",uid=" + Integer.toUnsignedString(maps.user(0)) + ",gid="
                + Integer.toUnsignedString(maps.group(0))).orElse("");
        Mounts.tmpfs(directory, EnumSet.of(MountFlag.NO_SUID, MountFlag.NO_DEV, MountFlag.NO_EXEC),
                SHM_OPTIONS + owner + selinux.map(label -> ",context=\"" + label + "\"").orElse(""));
        return directory;
    }

    private static Path pin(Path directory, NamespaceType type) {
        return directory.resolve(NAMESPACES).resolve(type.file());
    }

    private static Optional<LifecycleException> apply(List<Sysctl> sysctls) {
        for (Sysctl sysctl : sysctls) {
            try {
                sysctl.apply();
            } catch (IOException e) {
                return Optional.of(sysctl.refused(e));
            }
        }
        return Optional.empty();
    }

    private static void refuse(Optional<LifecycleException> refusal) throws LifecycleException {
        if (refusal.isPresent()) {
            throw refusal.get();
        }
    }

    /** What is set up inside the new namespaces. */
    private static final class Inside implements Namespaces.InNamespace {
        private final NamespacePlan plan;
        private final String hostname;
        private final List<Sysctl> sysctls;
        // Written before the thread inside hands over, read after.
        private @Nullable LifecycleException refusal;

        Inside(NamespacePlan plan, String hostname, List<Sysctl> sysctls) {
            this.plan = plan;
            this.hostname = hostname;
            this.sysctls = sysctls;
        }

        @Override
        public void run() throws IOException {
            if (plan.has(NamespaceType.UTS)) {
                Namespaces.setHostname(hostname);
            }
            if (plan.has(NamespaceType.NETWORK)) {
                NetworkInterfaces.up("lo");
            }
            refusal = apply(sysctls).orElse(null);
        }
    }
}
