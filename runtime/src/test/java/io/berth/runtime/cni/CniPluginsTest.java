package io.berth.runtime.cni;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.linux.Mounts;
import io.berth.linux.NamespaceType;
import io.berth.linux.Namespaces;
import io.berth.linux.NetworkInterfaces;
import io.berth.runtime.config.BerthConfig;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real plugins, kernel and iptables; what is the host's to the plugins is a network namespace of the test. */
class CniPluginsTest {
    private static final Duration LONG = Duration.ofSeconds(30);
    private static final Path PLUGINS = Path.of("/usr/lib/cni");

    private static final String PORTMAP = "{\"type\": \"portmap\", \"capabilities\": {\"portMappings\": true}}";
    private static final String BRIDGE = """
        {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "ipam": {"type": "host-local",
         "dataDir": "LEASES", "ranges": [[{"subnet": "10.88.3.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}""";
    private static final PodNetwork.Dns NO_DNS = new PodNetwork.Dns(List.of(), List.of(), List.of());

    @TempDir
    private Path directory;
    private Path host;
    private Path bin;
    private Path conf;
    private Path leases;
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private CniPlugins cni;

    @BeforeEach
    void makeNode() throws IOException {
        host = namespace("host");
        bin = Files.createDirectory(directory.resolve("bin"));
        conf = Files.createDirectory(directory.resolve("net.d"));
        leases = directory.resolve("leases");
        for (String plugin : List.of("bridge", "host-local", "portmap", "bandwidth", "loopback")) {
            plugin(plugin, "exec nsenter --net=" + host + " " + PLUGINS.resolve(plugin));
        }
        cni = cni(LONG);
    }

    @AfterEach
    void takeDown() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.toList()) {
                Mounts.unmountAll(file);
            }
        }
    }

    @Test
    void attachesAPodWithAPortAndDetachesItWithoutATrace() throws Exception {
        network(BRIDGE, PORTMAP);
        PodNetwork pod = pod("s1", new PodNetwork.PortMapping(18080, 80, "tcp", ""),
                new PodNetwork.PortMapping(0, 81, "tcp", ""));

        CniResult result = cni.add(pod, LONG);

        assertThat(result.ips()).singleElement().asString().startsWith("10.88.3.");
        assertThat(sh(pod.netns(), "ip -4 -o addr show eth0")).contains(result.ips().getFirst() + "/24");
        assertThat(sh(host, "iptables-save -t nat")).contains("--dport 18080")
                .contains("--to-destination " + result.ips().getFirst() + ":80").doesNotContain(":81");
        assertThat(leases()).containsExactly(result.ips().getFirst());

        cni.del(pod, result, LONG);

        assertNothingLeft();
        assertThat(sh(pod.netns(), "ip -o link")).doesNotContain("eth0");
        cni.del(pod, result, LONG);
        assertThat(meters.get("berth.cni.plugin")
                .tags("plugin", "bridge", "command", "ADD", "outcome", "success")
                .timer().count()).isOne();
    }

    @Test
    void detachesAPodWhoseNamespaceIsGone() throws Exception {
        network(BRIDGE, PORTMAP);
        PodNetwork pod = pod("s1", new PodNetwork.PortMapping(18080, 80, "tcp", ""));
        CniResult result = cni.add(pod, LONG);
        sh(pod.netns(), "ip link del eth0");
        Mounts.unmountAll(pod.netns());
        Files.delete(pod.netns());

        cni.del(pod, result, LONG);

        // The bridge plugin reads the addresses to unmasquerade from the namespace, so with it gone those rules stay: its own
        // limit, and none that matters after a reboot, the usual reason.
        assertThat(sh(host, "iptables-save -t nat")).doesNotContain("18080");
        assertThat(leases()).isEmpty();
    }

    @Test
    void detachesWithTheConfigurationOfItsTime() throws Exception {
        network(BRIDGE, PORTMAP);
        PodNetwork pod = pod("s1");
        CniResult result = cni.add(pod, LONG);
        network("{\"type\": \"loopback\"}");
        assertThat(cni.loadedConfig()).hasValueSatisfying(json -> assertThat(json).doesNotContain("bridge"));

        cni.del(pod, result, LONG);

        assertNothingLeft();
    }

    @Test
    void detachesAPodOfWhoseAttachmentNothingIsKnown() throws Exception {
        network(BRIDGE, PORTMAP);
        PodNetwork pod = pod("s1");
        cni.add(pod, LONG);

        cni.del(pod, new CniResult(List.of(), "", ""), LONG);

        assertNothingLeft();
    }

    @Test
    void manyPodsAtOnceGetAddressesOfTheirOwn() throws Exception {
        network(BRIDGE, PORTMAP);
        List<PodNetwork> pods = IntStream.range(0, 8).mapToObj(i -> {
            try {
                return pod("s" + i, new PodNetwork.PortMapping(18080 + i, 80, "tcp", ""));
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }).toList();
        List<CniResult> results = all(
                pods.stream().<Callable<CniResult>>map(pod -> () -> cni.add(pod, LONG)).toList());

        assertThat(results).extracting(result -> result.ips().getFirst()).doesNotHaveDuplicates();
        all(IntStream.range(0, 8).<Callable<Integer>>mapToObj(i -> () -> {
            cni.del(pods.get(i), results.get(i), LONG);
            return i;
        }).toList());
        assertNothingLeft();
    }

    @Test
    void hostPortsAreOpenedInTurnsAndOneThatHangsHoldsUpNobodyForLong() throws Exception {
        Path taken = directory.resolve("taken");
        network("{\"type\": \"spy\", \"capabilities\": {\"portMappings\": true}}");
        plugin("spy", "[ $CNI_COMMAND = ADD ] || exit 0; [ $CNI_CONTAINERID != stuck ] || exec sleep 1000; "
                + "mkdir " + taken + " || exit 1; sleep 0.05; rmdir " + taken
                + "; echo '{\"cniVersion\": \"1.0.0\", \"ips\": [{\"address\": \"10.1.2.3/24\"}]}'");
        PodNetwork.PortMapping port = new PodNetwork.PortMapping(18080, 80, "tcp", "");
        List<Callable<CniResult>> adds = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            PodNetwork pod = pod("s" + i, port);
            adds.add(() -> cni.add(pod, LONG));
        }
        assertThat(all(adds)).hasSize(8);

        PodNetwork stuck = pod("stuck", port);
        PodNetwork other = pod("other", port);
        CompletableFuture<CniResult> hanging = CompletableFuture.supplyAsync(() -> {
            try {
                return cni.add(stuck, LONG);
            } catch (CniException e) {
                throw new CompletionException(e);
            }
        });
        while (sleepers().isEmpty()) {
            Thread.sleep(5);
        }
        assertThat(cni.add(other, LONG).ips()).containsExactly("10.1.2.3");
        assertThat(hanging).isNotDone();
        sleepers().forEach(ProcessHandle::destroyForcibly);
        assertThatThrownBy(hanging::join).hasMessageContaining("spy");
    }

    @Test
    void aSecondPluginThatFailsUndoesTheFirst() throws Exception {
        network(BRIDGE, PORTMAP, "{\"type\": \"failing\"}");
        plugin("failing", "[ $CNI_COMMAND = DEL ] && exit 0; echo looked everywhere >&2; "
                + "echo '{\"cniVersion\": \"1.0.0\", \"code\": 7, \"msg\": \"no luck\", \"details\": \"none\"}'; exit 1");

        assertThatThrownBy(() -> cni.add(pod("s1", new PodNetwork.PortMapping(18080, 80, "tcp", "")), LONG))
                .isInstanceOf(CniException.class)
                .hasMessage("CNI plugin failing (3 of 3 in network \"test-net\") failed on ADD for pod "
                        + "default/web (sandbox s1): no luck (none) [code 7]; stderr: looked everywhere: "
                        + "correct the network configuration");

        assertNothingLeft();
    }

    @Test
    void aPluginThatHangsIsKilledWithWhatItStartedAndUndone() throws Exception {
        cni = cni(Duration.ofSeconds(10));
        network(BRIDGE, "{\"type\": \"hanging\"}");
        Path pid = directory.resolve("pid");
        plugin("hanging", "[ $CNI_COMMAND = DEL ] && exit 0; sleep 1000 & echo $! > " + pid + "; wait");

        assertThatThrownBy(() -> cni.add(pod("s1"), Duration.ofSeconds(2)))
                .isInstanceOfSatisfying(CniException.class, e -> assertThat(e.timeout()).isTrue())
                .hasMessageContaining("hanging (2 of 2").hasMessageContaining("was killed");

        assertThat(Path.of("/proc", Files.readString(pid).strip(), "root"))
                .satisfies(CniPluginsTest::assertEnded);
        assertNothingLeft();
    }

    @Test
    void aPluginThatHangsOnBothDoesNotKeepTheOthersFromCleaningUp() throws Exception {
        cni = cni(Duration.ofSeconds(4));
        network(BRIDGE, "{\"type\": \"hanging\"}");
        plugin("hanging", "exec sleep 1000");

        assertThatThrownBy(() -> cni.add(pod("s1"), Duration.ofSeconds(2))).isInstanceOf(CniException.class)
                .satisfies(e -> assertThat(e.getSuppressed()).singleElement().asString()
                        .contains("failed on DEL"));

        assertNothingLeft();
    }

    @Test
    void aPluginThatPrintsGarbageIsQuoted() throws Exception {
        network(BRIDGE, "{\"type\": \"garbling\"}");
        plugin("garbling", "echo 'Segmentation fault, sort of'");

        assertThatThrownBy(() -> cni.add(pod("s1"), LONG))
                .hasMessageContaining("garbling")
                .hasMessageContaining("no CNI result but \"Segmentation fault, sort of\"");
        assertNothingLeft();

        plugin("garbling", "exit 3");
        assertThatThrownBy(() -> cni.add(pod("s2"), LONG)).hasMessageContaining("exit code 3");
        plugin("garbling", "exit 0");
        assertThatThrownBy(() -> cni.add(pod("s3"), LONG)).hasMessageContaining("printed no result");
        assertNothingLeft();
    }

    @Test
    void aMissingPluginIsNamedBeforeAndAtItsUse() throws Exception {
        network(BRIDGE, "{\"type\": \"absent\"}");

        assertThat(cni.notReadyReason()).hasValueSatisfying(reason -> assertThat(reason)
                .contains("no executable \"absent\" in [" + bin + "]")
                .contains("containernetworking-plugins"));
        assertThatThrownBy(() -> cni.add(pod("s1"), LONG)).hasMessageContaining("no executable \"absent\"");
        assertNothingLeft();
    }

    @Test
    void aDelThatFailsIsReportedAndCanBeRepeated() throws Exception {
        network(BRIDGE, PORTMAP);
        PodNetwork pod = pod("s1", new PodNetwork.PortMapping(18080, 80, "tcp", ""));
        CniResult result = cni.add(pod, LONG);
        plugin("portmap", "echo '{\"code\": 11, \"msg\": \"busy\"}'; exit 1");

        assertThatThrownBy(() -> cni.del(pod, result, LONG)).hasMessageContaining("portmap (2 of 2")
                .hasMessageContaining("failed on DEL")
                .hasMessageContaining("busy [code 11]: a later try may succeed");
        assertThat(leases()).as("the address is not given to another while its ports are").isNotEmpty();

        plugin("portmap", "exec nsenter --net=" + host + " " + PLUGINS.resolve("portmap"));
        cni.del(pod, result, LONG);
        assertNothingLeft();
    }

    @Test
    void pluginsAreToldOfThePodAndOnlyWhatTheyAskFor() throws Exception {
        Path seen = directory.resolve("seen");
        network("{\"type\": \"spy\", \"capabilities\": {\"portMappings\": true, \"bandwidth\": true, \"dns\": true,"
                + " \"cgroupPath\": false}}");
        plugin("spy", "{ env | grep ^CNI_ | sort; cat; echo; } >> " + seen
                + "; echo '{\"cniVersion\": \"1.0.0\", \"ips\": [{\"address\": \"10.1.2.3/24\"}, {\"address\": \"fd00::3/64\"}]}'");
        PodNetwork pod = new PodNetwork("s1", "default", "web", "u-1", namespace("s1"),
                List.of(new PodNetwork.PortMapping(53, 5353, "udp", "127.0.0.1")),
                Map.of("kubernetes.io/ingress-bandwidth", "10M", "kubernetes.io/egress-bandwidth", "1.5Mi"),
                "/kubepods",
                new PodNetwork.Dns(List.of("10.0.0.10"), List.of("svc"), List.of()));

        CniResult result = cni.add(pod, LONG);
        cni.del(pod, result, LONG);

        assertThat(result.ips()).containsExactly("10.1.2.3", "fd00::3");
        String text = Files.readString(seen);
        assertThat(text).contains("CNI_COMMAND=ADD", "CNI_CONTAINERID=s1", "CNI_IFNAME=eth0",
                "CNI_PATH=" + bin,
                "CNI_NETNS=" + pod.netns(),
                "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=s1;K8S_POD_UID=u-1");
        assertThat(text)
                .contains("\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":53,\"containerPort\":5353,"
                        + "\"protocol\":\"udp\",\"hostIP\":\"127.0.0.1\"}],\"bandwidth\":{\"ingressRate\":10000000,"
                        + "\"ingressBurst\":4294967295,\"egressRate\":1572864,\"egressBurst\":4294967295},"
                        + "\"dns\":{\"servers\":[\"10.0.0.10\"],\"searches\":[\"svc\"]}}");
        assertThat(text).doesNotContain("kubepods");
        assertThat(text.substring(text.indexOf("CNI_COMMAND=DEL")))
                .contains("\"prevResult\":{\"cniVersion\"");
    }

    @Test
    void refusesNamesThatWouldBecomeOtherArguments() throws Exception {
        network(BRIDGE);
        PodNetwork pod = new PodNetwork("s1", "default", "web;K8S_POD_NAME=other", "u", namespace("s1"),
                List.of(), Map.of(),
                "", NO_DNS);

        assertThatThrownBy(() -> cni.add(pod, LONG)).hasMessageContaining("may not hold ';'");
    }

    @Test
    void aPluginOfTheNewestVersionIsAskedWhetherItCanServe() throws Exception {
        Files.writeString(conf.resolve("10-test.conflist"),
                "{\"cniVersion\": \"1.1.0\", \"name\": \"n\", \"plugins\": [{\"type\": \"fresh\"}]}");
        plugin("fresh", "echo '{\"code\": 50, \"msg\": \"daemon not up\"}'; exit 1");
        assertThat(cni.notReadyReason()).hasValueSatisfying(reason -> assertThat(reason).contains("fresh")
                .contains("daemon not up [code 50]"));

        plugin("fresh", "[ $CNI_COMMAND = STATUS ]");
        assertThat(cni(LONG).notReadyReason()).isEmpty();
        plugin("fresh", "echo '{\"code\": 4, \"msg\": \"unknown CNI_COMMAND: STATUS\"}'; exit 1");
        assertThat(cni(LONG).notReadyReason()).isEmpty();
    }

    private CniPlugins cni(Duration timeout) {
        return new CniPlugins(new BerthConfig.Cni(List.of(bin), conf, Optional.empty(), timeout), meters);
    }

    private void network(String... plugins) throws IOException {
        Files.writeString(conf.resolve("10-test.conflist"),
                "{\"cniVersion\": \"1.0.0\", \"name\": \"test-net\", \"plugins\": ["
                        + String.join(",", plugins)
                                .replace("LEASES", leases.toString())
                        + "]}");
        assertThat(cni.loadedConfig()).isPresent();
    }

    private void plugin(String name, String script) throws IOException {
        // A file of its own, moved into place: one that is open for writing cannot be executed.
        Path made = Files.writeString(directory.resolve("script"), "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(made, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.move(made, bin.resolve(name), StandardCopyOption.REPLACE_EXISTING);
    }

    private PodNetwork pod(String id, PodNetwork.PortMapping... mappings) throws IOException {
        return new PodNetwork(id, "default", "web", "uid-" + id, namespace(id), List.of(mappings), Map.of(),
                "", NO_DNS);
    }

    private Path namespace(String name) throws IOException {
        Path pin = Files.createFile(directory.resolve("netns-" + name));
        Namespaces.pin(Map.of(NamespaceType.NETWORK, pin), () -> NetworkInterfaces.up("lo"));
        return pin;
    }

    private void assertNothingLeft() throws Exception {
        assertThat(sh(host, "ip -o link")).doesNotContain("veth");
        assertThat(sh(host, "iptables-save")).doesNotContain("--to-destination").doesNotContain("18080")
                .doesNotContain("s1");
        assertThat(leases()).isEmpty();
    }

    private List<String> leases() throws IOException {
        Path network = leases.resolve("test-net");
        if (Files.notExists(network)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(network)) {
            return files.map(file -> file.getFileName().toString()).filter(name -> name.startsWith("10."))
                    .toList();
        }
    }

    private static List<ProcessHandle> sleepers() {
        return ProcessHandle.current().children()
                .filter(child -> child.info().commandLine().orElse("").endsWith("sleep 1000")).toList();
    }

    private static void assertEnded(Path root) {
        assertThat(Files.isSymbolicLink(root) && Files.exists(root)).isFalse();
    }

    private static String sh(Path netns, String command) throws Exception {
        Process process = new ProcessBuilder("nsenter", "--net=" + netns, "sh", "-c", command)
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }

    private static <T> List<T> all(List<Callable<T>> calls) throws Exception {
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            List<T> results = new ArrayList<>();
            for (Future<T> future : executor.invokeAll(calls)) {
                results.add(future.get());
            }
            return results;
        }
    }
}
