package io.berth.e2e.node;

import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.PodSandbox;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RemovePodSandboxRequest;
import io.berth.cri.v1.StopPodSandboxRequest;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.testcontainers.lifecycle.Startable;

/**
 * A whole node: a registry with a busybox image, the pod network, and a CRI server that has pulled that image. Stopping
 * it removes every pod and fails if anything of one is left.
 *
 * <p>The property {@code e2e.server} may be {@code containerd} in place of {@code berth}, to try a test on a runtime that
 * is known to be right.
 */
public final class Node implements Startable {
    private final boolean unit;
    private final List<String> settings;
    private @Nullable Parts parts;

    private record Parts(Path directory, CniNetwork network, Registry registry, CriServer server, Cri cri,
            String busybox, Path registriesConf, Leftovers leftovers) {}

    /** @param settings further lines of Berth's configuration */
    public Node(String... settings) {
        this(false, settings);
    }

    private Node(boolean unit, String... settings) {
        this.unit = unit;
        this.settings = List.of(settings);
    }

    /** A node whose systemd runs the daemon. */
    public static Node withUnit(String... settings) {
        return new Node(true, settings);
    }

    @Override
    public void start() {
        try {
            // Open to the users of pods with a user namespace, which go through it to their files.
            Path directory = Files.createTempDirectory(workspace(), "n",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
            var network = new CniNetwork(directory.resolve("cni"));
            var registry = new Registry(directory.resolve("registry"));
            registry.start();
            String busybox = registry.push("e2e/busybox", "1", Busybox.image());
            Path registriesConf = Files.writeString(directory.resolve("registries.conf"), """
                [[registry]]
                location = "%s"
                insecure = true
                """.formatted(registry.authority()));
            CriServer server = isContainerd()
                    ? new ContainerdDaemon(directory.resolve("d"), network, pushPauseImage(registry))
                    : berth(BerthDaemon.Options.in(directory.resolve("d"), network, registriesConf)
                            .withSettings(settings));
            server.start();
            Cri cri = Cri.connect(server.socket());
            pull(cri, busybox, server);
            var leftovers = new Leftovers(network,
                    isContainerd() ? List.of() : directoriesPerPod(directory.resolve("d")));
            parts = new Parts(directory, network, registry, server, cri, busybox, registriesConf, leftovers);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void stop() {
        Parts p = parts();
        parts = null;
        if (!answers(p)) {
            p.server().start();
        }
        removeAllPods(p.cri());
        Set<String> left = p.leftovers().since();
        p.cri().close();
        p.server().stop();
        p.registry().stop();
        Command.run(List.of("ip", "link", "del", CniNetwork.BRIDGE));
        if (!left.isEmpty()) {
            throw new AssertionError(
                    "left behind by the pods of this class:\n  " + String.join("\n  ", left));
        }
    }

    private CriServer berth(BerthDaemon.Options options) {
        var daemon = new BerthDaemon(options);
        return unit ? new BerthUnit(daemon) : daemon;
    }

    /** Whether the server under test is the peer. */
    public static boolean isContainerd() {
        return "containerd".equals(System.getProperty("e2e.server"));
    }

    /** A directory of the run's own with a short path: sockets are made in it. */
    public static Path workspace() {
        return Path.of(System.getenv().getOrDefault("ISOLATED_DIR", System.getProperty("java.io.tmpdir")));
    }

    /** An image for the peer's sandboxes: a program that sleeps. */
    public static String pushPauseImage(Registry registry) {
        Layer extra = Layer.builder().file("pause", 0755, "").build(Compression.GZIP);
        TestImage pause = TestImage.builder().layer(Busybox.layer()).layer(extra)
                .config(config -> config.putArray("Entrypoint").add("/bin/sleep").add("2147483647")).build();
        return registry.push("e2e/pause", "1", pause);
    }

    public Registry registry() {
        return parts().registry();
    }

    public CriServer server() {
        return parts().server();
    }

    public Cri cri() {
        return parts().cri();
    }

    public CniNetwork network() {
        return parts().network();
    }

    /** Reference of the busybox image, which is pulled. */
    public String busybox() {
        return parts().busybox();
    }

    /** The registries.conf that knows the node's registry. */
    public Path registriesConf() {
        return parts().registriesConf();
    }

    /** A directory for a test's files. */
    public Path directory() {
        return parts().directory();
    }

    /** What a container's supervisor writes when the container has ended, until the daemon has taken note. */
    public Path exitFile(String container) {
        return directory().resolve("d/state/containers").resolve(container).resolve("exit");
    }

    /** Where pods log to, a directory for each. */
    public Path logs() {
        return directory().resolve("logs");
    }

    /** What pods left on the node since it was started. */
    public Leftovers leftovers() {
        return parts().leftovers();
    }

    /** Runs a pod with the node's pod network. */
    public PodHandle pod(String name, String handler) {
        return PodHandle.run(cri(), Configs.pod(name, logs()), handler);
    }

    /** Pushes {@code image} as {@code e2e/NAME:1} and pulls it; returns that reference. */
    public String pull(String name, TestImage image) {
        String reference = registry().push("e2e/" + name, "1", image);
        pull(cri(), reference, server());
        return reference;
    }

    private static List<Path> directoriesPerPod(Path daemon) {
        var directories = new ArrayList<Path>();
        for (String parent : List.of("root", "state")) {
            for (String kind : List.of("sandboxes", "containers")) {
                directories.add(daemon.resolve(parent).resolve(kind));
            }
        }
        directories.add(daemon.resolve("root/images/snapshots"));
        for (String handler : List.of("runc", "crun")) {
            directories.add(daemon.resolve("state/oci").resolve(handler));
        }
        return directories;
    }

    private static void pull(Cri cri, String reference, CriServer server) {
        try {
            cri.images().pullImage(
                    PullImageRequest.newBuilder().setImage(ImageSpec.newBuilder().setImage(reference))
                            .build());
        } catch (StatusRuntimeException e) {
            throw new IllegalStateException(
                    "cannot pull " + reference + "; the daemon's log:\n" + server.logTail(), e);
        }
    }

    private static boolean answers(Parts parts) {
        return BerthDaemon.answers(parts.server().socket());
    }

    private static void removeAllPods(Cri cri) {
        for (PodSandbox pod : cri.runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                .getItemsList()) {
            cri.runtime()
                    .stopPodSandbox(StopPodSandboxRequest.newBuilder().setPodSandboxId(pod.getId()).build());
            cri.runtime().removePodSandbox(
                    RemovePodSandboxRequest.newBuilder().setPodSandboxId(pod.getId()).build());
        }
    }

    private Parts parts() {
        Parts p = parts;
        if (p == null) {
            throw new IllegalStateException("the node was not started");
        }
        return p;
    }
}
