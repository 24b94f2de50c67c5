package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Debian's containerd, as a peer to measure against and to try the tests themselves on. */
public final class ContainerdDaemon implements CriServer {
    private final Path directory;
    private final NodeProcess process;

    /** @param pauseImage of its sandboxes, from a registry over http on localhost */
    public ContainerdDaemon(Path directory, CniNetwork network, String pauseImage) {
        this.directory = directory;
        Path config = directory.resolve("config.toml");
        try {
            Files.createDirectories(directory);
            Files.writeString(config, """
                version = 2
                root = "%1$s/root"
                state = "%1$s/state"
                oom_score = 0
                disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs",
                  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
                [grpc]
                  address = "%2$s"
                [plugins."io.containerd.grpc.v1.cri"]
                  sandbox_image = "%3$s"
                  restrict_oom_score_adj = true
                  disable_apparmor = true
                  tolerate_missing_hugetlb_controller = true
                  disable_hugetlb_controller = true
                  stream_server_address = "127.0.0.1"
                  stream_server_port = "0"
                [plugins."io.containerd.grpc.v1.cri".cni]
                  bin_dir = "/usr/lib/cni"
                  conf_dir = "%4$s"
                [plugins."io.containerd.grpc.v1.cri".containerd]
                  snapshotter = "overlayfs"
                  default_runtime_name = "runc"
                [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
                  runtime_type = "io.containerd.runc.v2"
                [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
                  BinaryName = "runc"
                [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun]
                  runtime_type = "io.containerd.runc.v2"
                [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun.options]
                  BinaryName = "crun"
                """.formatted(directory, socket(), pauseImage, network.configurations()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        process = new NodeProcess("containerd", directory.resolve("daemon.log"), Map.of(),
                List.of("containerd", "--config", config.toString()));
    }

    @Override
    public Path socket() {
        return directory.resolve("containerd.sock");
    }

    @Override
    public void start() {
        process.start(() -> BerthDaemon.answers(socket()));
    }

    @Override
    public void stop() {
        process.stop();
    }

    @Override
    public void kill() {
        process.kill();
    }

    @Override
    public long pid() {
        return process.pid();
    }

    @Override
    public String logTail() {
        return process.logTail();
    }
}
