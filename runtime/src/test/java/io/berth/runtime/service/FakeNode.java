package io.berth.runtime.service;

import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageConfig;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.Images;
import io.berth.imagestore.LayerLimits;
import io.berth.imagestore.RegistryAuth;
import io.berth.imagestore.Snapshots;
import io.berth.linux.IdMaps;
import io.berth.linux.NetworkInterfaces;
import io.berth.runtime.cgroup.CgroupDetail;
import io.berth.runtime.cgroup.CgroupUsage;
import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.cni.Cni;
import io.berth.runtime.cni.CniException;
import io.berth.runtime.cni.CniResult;
import io.berth.runtime.cni.PodNetwork;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.oci.HandlerFeatures;
import io.berth.runtime.oci.HostFacts;
import io.berth.runtime.oci.KernelVersion;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.oci.OciRuntime;
import io.berth.runtime.sandbox.SandboxEnvironment;
import io.berth.runtime.sandbox.UserNamespaces;
import io.berth.runtime.shim.ExitRecord;
import io.berth.runtime.shim.PauseSpec;
import io.berth.runtime.shim.Shim;
import io.berth.runtime.shim.ShimException;
import io.berth.runtime.shim.ShimSpec;
import io.berth.runtime.shim.Shims;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A node without a kernel: it keeps account of what was made and not unmade, and fails or holds any step that a test
 * names.
 */
final class FakeNode {
    static final String IMAGE = "registry.test/app:1";
    private static final String IMAGE_ID = "sha256:" + "a".repeat(64);

    /** What exists now, as {@code kind:id}. */
    final Set<String> existing = ConcurrentHashMap.newKeySet();
    /** Every step so far. */
    final List<String> steps = new CopyOnWriteArrayList<>();
    final Set<String> failing = ConcurrentHashMap.newKeySet();
    final Map<String, CountDownLatch> holding = new ConcurrentHashMap<>();
    final Map<String, FakeShim> shims = new ConcurrentHashMap<>();
    /** Signals that processes ignore. */
    final Set<Integer> ignored = ConcurrentHashMap.newKeySet();
    /** What the kernel tells of cgroups, by their path. */
    final Map<String, CgroupDetail> cgroups = new ConcurrentHashMap<>();
    /** Limits that were set, by the cgroup's path. */
    final Map<String, LinuxContainerResources> limits = new ConcurrentHashMap<>();
    /** The interfaces of every pod. */
    final List<NetworkInterfaces.Statistics> interfaces = new CopyOnWriteArrayList<>();
    private final Path directory;

    FakeNode(Path directory) {
        this.directory = directory;
    }

    BerthConfig config() {
        return new BerthConfig(directory.resolve("root"), directory.resolve("state"),
                directory.resolve("state/berth.sock"), Optional.empty(), "runc", "cgroupfs", true,
                new BerthConfig.Log("info", false),
                Map.of("runc", new BerthConfig.OciHandler("runc", List.of())),
                new BerthConfig.Registry(directory.resolve("registries.conf"), List.of(), List.of(),
                        Optional.empty(), Optional.empty(), new BerthConfig.Proxies("", "", List.of()), 3,
                        List.of()),
                new BerthConfig.Cni(List.of(), directory.resolve("cni"), Optional.empty(),
                        Duration.ofSeconds(5)),
                new BerthConfig.Streaming("127.0.0.1", 0, Optional.empty(), Optional.empty(),
                        Duration.ofMinutes(1)),
                new BerthConfig.Metrics(false, "127.0.0.1", 0), new BerthConfig.Seccomp(Optional.empty()),
                new BerthConfig.Cdi(List.of()),
                new BerthConfig.Timeouts(Duration.ofSeconds(5), Duration.ofSeconds(5)),
                new BerthConfig.Limits(1 << 20, 0, LayerLimits.DEFAULT));
    }

    Seams seams() {
        HostFacts host = new HostFacts(Set.of(), true, 0, true, false, Optional.empty(), false, true,
                Optional.empty(),
                true,
                Set.of("cpu", "memory", "pids"), new KernelVersion(6, 1));
        return new Seams(new FakeImages(), new FakeSnapshots(), new FakeShims(),
                Map.of("runc", new FakeRuntime("runc"), "crun", new FakeRuntime("crun")), new FakeCgroups(),
                new FakeCni(), new FakeEnvironment(), host, Clock.systemUTC(),
                UserNamespaces.ofPath("/usr/bin:/bin"), "1.2.3");
    }

    CriServices open() throws IOException {
        return CriServices.open(config(), seams());
    }

    /** Holds the step until the latch is counted down. */
    CountDownLatch hold(String step) {
        CountDownLatch latch = new CountDownLatch(1);
        holding.put(step, latch);
        return latch;
    }

    private void step(String name) throws IOException {
        steps.add(name);
        @Nullable
        CountDownLatch latch = holding.get(name);
        try {
            if (latch != null && !latch.await(30, TimeUnit.SECONDS)) {
                throw new IOException("the test never let go of " + name);
            }
        } catch (InterruptedException e) {
            throw new IOException("interrupted", e);
        }
        if (failing.contains(name)) {
            throw new IOException("the test fails " + name);
        }
    }

    private <E extends IOException> void step(String name, java.util.function.Function<String, E> failure)
            throws E {
        try {
            step(name);
        } catch (IOException e) {
            throw failure.apply(e.getMessage());
        }
    }

    private final class FakeEnvironment implements SandboxEnvironment {
        @Override
        public Made create(String sandboxId, Path home, PodSandboxConfig config, Optional<String> selinux)
                throws IOException {
            step("environment.create");
            Files.createDirectories(home.resolve("shm"));
            for (String file : List.of("hostname", "hosts", "resolv.conf", "net", "ipc", "uts")) {
                Files.writeString(home.resolve(file), "");
            }
            existing.add("environment:" + home);
            return new Made(
                    Map.of("network", networkNamespace(home), "ipc", home.resolve("ipc"), "uts",
                            home.resolve("uts")),
                    Map.of("hostname", home.resolve("hostname"), "hosts", home.resolve("hosts"),
                            "resolv.conf",
                            home.resolve("resolv.conf"), "shm", home.resolve("shm")));
        }

        @Override
        public Path networkNamespace(Path home) {
            return home.resolve("net");
        }

        @Override
        public void networkAttached(Path home, PodSandboxConfig config) throws IOException {
            step("environment.networkAttached");
        }

        @Override
        public void destroy(Path home) throws IOException {
            step("environment.destroy");
            existing.remove("environment:" + home);
        }

        @Override
        public List<NetworkInterfaces.Statistics> interfaces(Path netns) throws IOException {
            step("environment.interfaces");
            return List.copyOf(interfaces);
        }

        @Override
        public boolean intact(Path home, PodSandboxConfig config) {
            return existing.contains("environment:" + home);
        }
    }

    private final class FakeCni implements Cni {
        @Override
        public Optional<String> notReadyReason() {
            return failing.contains("cni.ready") ? Optional.of("no network configuration") : Optional.empty();
        }

        @Override
        public Optional<String> loadedConfig() {
            return Optional.of("{}");
        }

        @Override
        public void check(PodNetwork pod, CniResult result, Duration deadline) {
            steps.add("cni.check");
        }

        @Override
        public void podCidr(String podCidr) {
            steps.add("cni.podCidr " + podCidr);
        }

        @Override
        public void collect(java.util.function.Supplier<Set<String>> attached) {
            steps.add("cni.collect");
        }

        @Override
        public CniResult add(PodNetwork pod, Duration deadline) throws CniException {
            step("cni.add", message -> new CniException(message, null));
            existing.add("cni:" + pod.sandboxId());
            return new CniResult(List.of("10.1.0.2", "fd00::2"), "{\"ips\":[]}", "{}");
        }

        @Override
        public void del(PodNetwork pod, CniResult result, Duration deadline) throws CniException {
            step("cni.del", message -> new CniException(message, null));
            existing.remove("cni:" + pod.sandboxId());
        }

        @Override
        public void close() {}
    }

    private final class FakeCgroups implements Cgroups {
        @Override
        public Mode mode() {
            return Mode.V1;
        }

        @Override
        public Driver driver() {
            return Driver.CGROUPFS;
        }

        @Override
        public PodCgroup createPod(String parent, String sandboxId) throws IOException {
            step("cgroup.create");
            existing.add("cgroup:" + sandboxId);
            return pod(parent, sandboxId);
        }

        @Override
        public PodCgroup pod(String parent, String sandboxId) {
            return new PodCgroup("/berth/" + sandboxId, List.of());
        }

        @Override
        public void removePod(String parent, String sandboxId) throws IOException {
            step("cgroup.remove");
            existing.remove("cgroup:" + sandboxId);
        }

        @Override
        public Optional<CgroupUsage> usage(String cgroupsPath) {
            return detail(cgroupsPath).map(CgroupDetail::usage);
        }

        @Override
        public Optional<CgroupDetail> detail(String cgroupsPath) {
            return Optional.ofNullable(cgroups.get(cgroupsPath));
        }

        @Override
        public long processCount(String cgroupsPath) {
            return detail(cgroupsPath).map(detail -> detail.tasks().pids().size()).orElse(0);
        }

        @Override
        public void limit(String cgroupsPath, LinuxContainerResources wanted) {
            limits.put(cgroupsPath, wanted);
        }

        @Override
        public List<Long> processes(String cgroupsPath) {
            return List.of();
        }

        @Override
        public void killAndRemove(String cgroupsPath) throws IOException {
            step("cgroup.kill");
            String id = cgroupsPath.substring(cgroupsPath.lastIndexOf('/') + 1);
            existing.remove("process:" + id);
        }

        @Override
        public long oomKills(String cgroupsPath) {
            return 0;
        }
    }

    private final class FakeRuntime implements OciRuntime {
        private final String name;

        FakeRuntime(String name) {
            this.name = name;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public List<String> command() {
            return List.of(name);
        }

        @Override
        public String ociVersion() {
            return "1.0.2";
        }

        @Override
        public String version() {
            return name + " 1";
        }

        @Override
        public HandlerFeatures features() {
            return HandlerFeatures.NONE;
        }

        @Override
        public void delete(String containerId, Duration deadline) {
            steps.add("oci.delete");
            existing.remove("oci:" + containerId);
            existing.remove("process:" + containerId);
        }

        @Override
        public void killAll(String containerId, int signal, Duration deadline) {
            existing.remove("process:" + containerId);
        }

        @Override
        public void update(String containerId, byte[] resourcesJson, Duration deadline) {
            steps.add("oci.update");
        }

        @Override
        public void requireCriu(Duration deadline) throws OciException {
            step("oci.requireCriu", message -> new OciException(OciException.Kind.UNSUPPORTED, message));
        }

        @Override
        public void pause(String containerId, Duration deadline) {
            steps.add("oci.pause");
        }

        @Override
        public void resume(String containerId, Duration deadline) {
            steps.add("oci.resume");
        }

        @Override
        public void checkpoint(String containerId, Path images, Path work, Duration deadline)
                throws OciException {
            step("oci.checkpoint", message -> new OciException(OciException.Kind.FAILED, message));
        }

        @Override
        public List<String> list(Duration deadline) {
            return List.of();
        }

        @Override
        public Path stateRoot() {
            return directory.resolve("oci").resolve(name);
        }
    }

    private final class FakeShims implements Shims {
        @Override
        public Shim create(ShimSpec spec, Duration deadline) throws ShimException {
            existing.add("oci:" + spec.containerId());
            step("shim.create", message -> new ShimException(ShimException.Kind.OCI, message));
            FakeShim shim = new FakeShim(spec.containerId());
            shims.put(spec.containerId(), shim);
            existing.add("shim:" + spec.containerId());
            existing.add("process:" + spec.containerId());
            return shim;
        }

        @Override
        public Optional<Shim> attach(Path home, Duration deadline) {
            String id = home.getFileName().toString();
            return Optional.ofNullable(existing.contains("shim:" + id) ? shims.get(id) : null);
        }

        @Override
        public Optional<ExitRecord> readExit(Path home) {
            return Optional.ofNullable(shims.get(home.getFileName().toString()))
                    .flatMap(shim -> Optional.ofNullable(shim.exit.getNow(null)));
        }

        @Override
        public void end(Path home, String containerId) {
            existing.remove("shim:" + containerId);
            existing.remove("process:" + containerId);
        }

        @Override
        public long startPause(PauseSpec spec, Duration deadline) throws ShimException {
            step("shim.pause", message -> new ShimException(ShimException.Kind.FAILED, message));
            try {
                // A real process that ends by itself, should a test fail to end it.
                return new ProcessBuilder("sleep", "60").start().pid();
            } catch (IOException e) {
                throw new ShimException(ShimException.Kind.FAILED, "sleep", e);
            }
        }
    }

    /** A supervised process that ends by the signals that the node does not ignore. */
    final class FakeShim implements Shim {
        final java.util.concurrent.CompletableFuture<ExitRecord> exit = new java.util.concurrent.CompletableFuture<>();
        final List<Integer> signals = new CopyOnWriteArrayList<>();
        private final String id;

        FakeShim(String id) {
            this.id = id;
        }

        void end(int code, boolean oom) {
            existing.remove("process:" + id);
            exit.complete(new ExitRecord(code, 0, oom, Instant.now(), true));
        }

        /** As when it is killed: nobody saw the process's exit, which may go on. */
        void vanish() {
            existing.remove("shim:" + id);
            exit.complete(new ExitRecord(0, 0, false, Instant.now(), false));
        }

        @Override
        public long shimPid() {
            return 0;
        }

        @Override
        public long containerPid() {
            return 0;
        }

        @Override
        public void start(Duration deadline) throws ShimException {
            step("shim.start", message -> new ShimException(ShimException.Kind.OCI, message));
        }

        @Override
        public boolean started(Duration deadline) {
            return steps.contains("shim.start");
        }

        @Override
        public java.util.concurrent.CompletableFuture<ExitRecord> exit() {
            return exit;
        }

        @Override
        public void kill(int signal) {
            signals.add(signal);
            if (!ignored.contains(signal)) {
                end(128 + signal, false);
            }
        }

        @Override
        public io.berth.runtime.shim.ExecSession exec(byte[] processJson, boolean terminal, boolean stdin,
                Duration deadline) {
            return new FakeExec();
        }

        @Override
        public io.berth.runtime.shim.ExecSession attach(Duration deadline) {
            return new FakeExec();
        }

        @Override
        public void reopenLog(Duration deadline) {
            steps.add("shim.reopenLog");
        }

        @Override
        public long lostLogLines(Duration deadline) {
            return 0;
        }

        @Override
        public void resize(int columns, int rows, Duration deadline) {}

        @Override
        public void shutdown(Duration deadline) throws ShimException {
            step("shim.shutdown", message -> new ShimException(ShimException.Kind.TIMEOUT, message));
            existing.remove("shim:" + id);
        }

        @Override
        public void destroy() {
            existing.remove("shim:" + id);
            existing.remove("process:" + id);
        }

        @Override
        public void close() {}
    }

    private final class FakeSnapshots implements Snapshots {
        @Override
        public Snapshot prepare(String key, String imageId, Optional<IdMaps> owners) throws ImageException {
            step("snapshot.prepare", message -> new ImageException(ImageException.Kind.NO_SPACE, message));
            existing.add("snapshot:" + key);
            return new Snapshot(key, imageId, List.of(), directory, directory);
        }

        @Override
        public void mount(String key, Path target, MountOptions options) throws ImageException {
            step("snapshot.mount", message -> new ImageException(ImageException.Kind.INTERNAL, message));
            try {
                Files.createDirectories(target);
            } catch (IOException e) {
                throw new ImageException(ImageException.Kind.INTERNAL, "mkdir", e);
            }
            existing.add("mount:" + target);
        }

        @Override
        public void unmount(Path target) {
            existing.remove("mount:" + target);
        }

        @Override
        public void remove(String key) {
            existing.remove("snapshot:" + key);
        }

        @Override
        public List<String> keys() {
            return existing.stream().filter(name -> name.startsWith("snapshot:"))
                    .map(name -> name.substring("snapshot:".length())).toList();
        }

        @Override
        public Images.Usage usage(String key) {
            return new Images.Usage(4096, 3);
        }
    }

    private final class FakeImages implements Images {
        private final Image image = new Image(IMAGE_ID, List.of(IMAGE),
                List.of("registry.test/app@sha256:" + "b".repeat(64)), 1000,
                new ImageConfig("linux", "amd64", "", "0", List.of("PATH=/bin"), List.of(),
                        List.of("/bin/app"), "/",
                        "SIGUSR1", List.of(), List.of(), Map.of()),
                "sha256:" + "c".repeat(64), "{}", "{}", List.of(), false, Instant.EPOCH);

        @Override
        public Image pull(String reference, RegistryAuth auth) throws ImageException {
            step("image.pull", message -> new ImageException(ImageException.Kind.UNAVAILABLE, message));
            return image;
        }

        @Override
        public List<Image> list() {
            return List.of(image);
        }

        @Override
        public Optional<Image> find(String referenceOrId) {
            return referenceOrId.equals(IMAGE) || referenceOrId.equals(IMAGE_ID)
                    ? Optional.of(image)
                    : Optional.empty();
        }

        @Override
        public void remove(String referenceOrId) {}

        @Override
        public List<Image> importFrom(Path fileOrDirectory) {
            return List.of();
        }

        @Override
        public Usage usage() {
            return new Usage(1000, 10);
        }

        @Override
        public Path root() {
            return directory;
        }
    }
}
