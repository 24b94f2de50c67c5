package io.berth.e2e.demo;

import io.berth.cri.v1.ContainerStats;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.PodSandbox;
import io.berth.cri.v1.RemovePodSandboxRequest;
import io.berth.cri.v1.StopPodSandboxRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.OciLayout;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.CniNetwork;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Leftovers;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Ports;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/** {@code ./demo}: the life of one pod on a daemon of its own, step by step. */
final class Demo {
    private static final String IMAGE = "docker.io/library/busybox:demo";
    private static final String PAGE = "Hello from a pod that Berth runs.";
    private static final String SERVER = "echo '" + PAGE + "' > /www/index.html; echo serving port 80;"
            + " exec httpd -f -vv -p 80 -h /www";
    private static final int HTTP_PORT = 80;

    private final Narrator narrator;
    private final Path directory;
    private final CniNetwork network;
    private final BerthDaemon daemon;
    private volatile boolean ending;

    private Demo(Narrator narrator) throws IOException {
        this.narrator = narrator;
        directory = Files.createTempDirectory(Node.workspace(), "demo");
        network = new CniNetwork(directory.resolve("cni"));
        daemon = new BerthDaemon(BerthDaemon.Options.in(directory.resolve("berth"), network,
                directory.resolve("no-registries.conf")));
    }

    /** @param arguments {@code --color} where the output is a terminal */
    public static void main(String[] arguments) throws IOException {
        var narrator = new Narrator(List.of(arguments).contains("--color"));
        var demo = new Demo(narrator);
        Thread cleanUp = new Thread(demo::interrupted, "clean-up");
        Runtime.getRuntime().addShutdownHook(cleanUp);
        try {
            demo.run();
            Runtime.getRuntime().removeShutdownHook(cleanUp);
            System.exit(0);
        } catch (RuntimeException | AssertionError e) {
            if (!demo.ending) {
                System.err
                        .println("\ndemo: " + e + "\nThe end of the daemon's log:\n" + demo.daemon.logTail());
                System.exit(1);
            }
        }
    }

    private void run() throws IOException {
        narrator.step("Start the daemon", daemon::start);
        narrator.detail("socket " + daemon.socket());
        var leftovers = new Leftovers(network, List.of());
        try (Cri cri = Cri.connect(daemon.socket())) {
            narrator.detail(narrator.step("Import an image made of this machine's busybox, no network needed",
                    this::importImage));
            show(cri);
        }
        Set<String> left = leftovers.since();
        narrator.step("Stop the daemon", daemon::stop);
        if (!left.isEmpty()) {
            throw new IllegalStateException("left behind: " + String.join(", ", left));
        }
        narrator.detail(
                "no process, mount, interface, namespace, cgroup, address or rule of the pod is left");
    }

    private void show(Cri cri) {
        PodHandle pod = narrator.step("Run a pod on a bridge network",
                () -> PodHandle.run(cri, Configs.pod("hello", directory.resolve("logs")), ""));
        narrator.detail("pod " + pod.id().substring(0, 12) + " has address " + pod.ip());
        ContainerHandle container = narrator.step("Create and start a container that serves a page",
                () -> pod.start(Configs.container("web", IMAGE, "sh", "-c", SERVER)));
        narrator.detail("container " + container.id().substring(0, 12));
        String page = narrator.step("Fetch the page", () -> fetch(pod.ip()));
        narrator.detail("GET http://" + pod.ip() + "/  ->  " + page);
        narrator.step("Read the log", () -> container.awaitLog(2))
                .forEach(line -> narrator.detail(line.stream() + "  " + line.text()));
        narrator.detail(narrator.step("Run a command in it: hostname; id", () -> container.sh("hostname; id"))
                .replace("\n", "; "));
        ContainerStats stats = narrator.step("Ask what it uses", container::stats);
        narrator.detail("%.1f ms of CPU, %d KiB of memory".formatted(
                stats.getCpu().getUsageCoreNanoSeconds().getValue() / 1e6,
                stats.getMemory().getWorkingSetBytes().getValue() / 1024));
        narrator.step("Stop the container", () -> container.stop(0));
        narrator.detail("exit code " + container.status().getExitCode());
        narrator.step("Remove the container and the pod", () -> {
            container.remove();
            pod.close();
        });
    }

    private String importImage() {
        try {
            TestImage image = Busybox.image();
            Path archive = directory.resolve("busybox.tar");
            OciLayout.writeArchive(archive, image, IMAGE);
            return Command.output(BerthDaemon.executable().toString(), "image", "import", "--config",
                    daemon.configuration().toString(), archive.toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String fetch(String address) {
        Await.until("the page is served", Duration.ofSeconds(10), () -> Ports.isOpen(address, HTTP_PORT),
                open -> open);
        try (var in = URI.create("http://" + address + "/").toURL().openStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** On Ctrl-C or a failure, whatever the demo was doing. */
    private void interrupted() {
        ending = true;
        narrator.detail("ending early: removing the pod and stopping the daemon");
        try (Cri cri = Cri.connect(daemon.socket())) {
            for (PodSandbox pod : cri.runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                    .getItemsList()) {
                cri.runtime().stopPodSandbox(
                        StopPodSandboxRequest.newBuilder().setPodSandboxId(pod.getId()).build());
                cri.runtime().removePodSandbox(
                        RemovePodSandboxRequest.newBuilder().setPodSandboxId(pod.getId()).build());
            }
        } catch (StatusRuntimeException e) {
            narrator.detail("the daemon does not answer any more; its namespaces end with it");
        } finally {
            daemon.stop();
        }
    }
}
