package io.berth.e2e.bench;

import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RemoveImageRequest;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.CniNetwork;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.ContainerdDaemon;
import io.berth.e2e.node.CriServer;
import io.berth.e2e.node.FreshDisk;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Registry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/** {@code ./bench}: starts what is to be measured, measures it, prints a line of JSON per benchmark and runtime. */
final class Bench {
    private static final List<String> BENCHMARKS = List.of("pods", "pull", "logs", "memory");
    /** Those that run only where they are named. */
    private static final List<String> LONG_BENCHMARKS = List.of("load");
    private static final int LOAD_PODS = 110;
    private static final int LOAD_SECONDS = 600;
    private static final Pattern PULLS = Pattern.compile("pull-(1|12)-(gzip|zstd)");
    private static final long DISK_BYTES = 16L << 30;

    private final Path directory;
    private final Registry registry;
    private final String busybox;
    private final List<AutoCloseable> started = new ArrayList<>();

    /**
     * What the command line asks for.
     *
     * @param endpoint the socket of a runtime that runs already; none to start Berth here
     * @param peer whether containerd is measured beside it
     * @param runs how often; 0 for each benchmark's own number
     * @param pods of the load
     * @param seconds of the load, from when all its pods run
     */
    private record Order(List<String> benchmarks, Optional<Path> endpoint, boolean peer, int runs,
            String handler, int pods, int seconds) {
        static Order parse(String[] arguments) {
            var benchmarks = new ArrayList<String>();
            Optional<Path> endpoint = Optional.empty();
            boolean peer = false;
            int runs = 0;
            String handler = "";
            int pods = LOAD_PODS;
            int seconds = LOAD_SECONDS;
            for (int i = 0; i < arguments.length; i++) {
                switch (arguments[i]) {
                    case "--endpoint" -> endpoint = Optional
                            .of(Path.of(value(arguments, ++i).replaceFirst("^unix://", "")).toAbsolutePath());
                    case "--runs" -> runs = Integer.parseInt(value(arguments, ++i));
                    case "--handler" -> handler = value(arguments, ++i);
                    case "--pods" -> pods = Integer.parseInt(value(arguments, ++i));
                    case "--seconds" -> seconds = Integer.parseInt(value(arguments, ++i));
                    case "peer" -> peer = true;
                    case String name when isBenchmark(name) -> benchmarks.add(name);
                    case String other -> throw new IllegalArgumentException(other);
                }
            }
            if (peer ? endpoint.isPresent() : benchmarks.isEmpty()) {
                throw new IllegalArgumentException(String.join(" ", arguments));
            }
            return new Order(benchmarks.isEmpty() ? BENCHMARKS : benchmarks, endpoint, peer, runs, handler,
                    pods, seconds);
        }

        private static String value(String[] arguments, int index) {
            if (index >= arguments.length) {
                throw new IllegalArgumentException(arguments[index - 1] + " needs a value");
            }
            return arguments[index];
        }
    }

    private Bench() throws IOException {
        directory = Files.createTempDirectory(Node.workspace(), "b");
        registry = new Registry(directory.resolve("registry"));
        registry.start();
        started.add(registry::stop);
        busybox = registry.push("bench/busybox", "1", Busybox.image());
    }

    public static void main(String[] arguments) throws Exception {
        Order order;
        try {
            order = Order.parse(arguments);
        } catch (IllegalArgumentException e) {
            System.err.println("bench: not understood: " + e.getMessage());
            System.exit(2);
            return;
        }
        var bench = new Bench();
        try {
            List<Target> targets = bench.targets(order);
            for (String name : order.benchmarks()) {
                for (Benchmark benchmark : bench.benchmarks(name, order)) {
                    Report.print(benchmark, targets, order.runs());
                }
            }
        } finally {
            bench.stop();
        }
        System.exit(0);
    }

    private static boolean isBenchmark(String name) {
        return BENCHMARKS.contains(name) || LONG_BENCHMARKS.contains(name) || PULLS.matcher(name).matches();
    }

    private List<Benchmark> benchmarks(String name, Order order) {
        return switch (name) {
            case "pods" -> List.of(new PodsBenchmark(busybox));
            case "pull" -> PullBenchmark.all(registry);
            case "logs" -> List.of(new LogsBenchmark(busybox));
            case "memory" -> List.of(new MemoryBenchmark(busybox));
            case "load" ->
                List.of(new LoadBenchmark(busybox, order.pods(), Duration.ofSeconds(order.seconds())));
            default -> PullBenchmark.all(registry).stream().filter(one -> one.name().equals(name)).toList();
        };
    }

    private List<Target> targets(Order order) throws IOException {
        if (order.endpoint().isPresent()) {
            Path socket = order.endpoint().get();
            return List.of(target(socket, Target.listener(socket), order.handler()));
        }
        var network = new CniNetwork(directory.resolve("cni"));
        Path registries = Files.writeString(directory.resolve("registries.conf"),
                "[[registry]]%nlocation = \"%s\"%ninsecure = true%n".formatted(registry.authority()));
        var targets = new ArrayList<Target>();
        targets.add(
                start(new BerthDaemon(BerthDaemon.Options.in(disk("berth"), network, registries)), order));
        if (order.peer()) {
            String pause = Node.pushPauseImage(registry);
            targets.add(start(new ContainerdDaemon(disk("containerd"), network, pause), order));
        }
        return targets;
    }

    private Path disk(String name) {
        Path mountPoint = directory.resolve(name);
        started.addFirst(new FreshDisk(mountPoint, DISK_BYTES));
        return mountPoint;
    }

    private Target start(CriServer server, Order order) {
        server.start();
        started.addFirst(server::stop);
        return target(server.socket(), server.pid(), order.handler());
    }

    private Target target(Path socket, long pid, String handler) {
        Cri cri = Cri.connect(socket);
        started.addFirst(cri);
        ImageSpec image = ImageSpec.newBuilder().setImage(busybox).build();
        cri.images().pullImage(PullImageRequest.newBuilder().setImage(image).build());
        started.addFirst(
                () -> cri.images().removeImage(RemoveImageRequest.newBuilder().setImage(image).build()));
        return new Target(pid, cri, handler, directory.resolve("logs"));
    }

    private void stop() throws Exception {
        for (AutoCloseable each : started) {
            each.close();
        }
        Command.output("rm", "-rf", directory.toString());
    }
}
