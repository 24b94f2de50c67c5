package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.DNSConfig;
import io.berth.cri.v1.PodSandboxState;
import io.berth.cri.v1.PortMapping;
import io.berth.cri.v1.Protocol;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Ports;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class PodNetworkIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    PodNetworkIT(String handler) {
        this.handler = handler;
    }

    @Test
    void aPodHasTheAddressThatItsContainersSee() {
        try (PodHandle pod = NODE.pod("address", handler)) {
            String seen = pod.start(idle()).sh("ip -4 -o addr show dev eth0");

            assertThat(pod.ip()).startsWith("10.88.");
            assertThat(seen).contains("inet " + pod.ip() + "/16");
        }
    }

    @Test
    void loopbackOfAPodIsUp() {
        try (PodHandle pod = NODE.pod("loopback", handler)) {
            assertThat(pod.start(idle()).sh("ip -4 -o addr show dev lo")).contains("127.0.0.1/8");
        }
    }

    @Test
    void containersOfAPodReachEachOtherOverLoopback() {
        try (PodHandle pod = NODE.pod("shared", handler)) {
            pod.start(server("of the neighbour"));

            assertThat(fetch(pod.start(idle()), "127.0.0.1")).isEqualTo("of the neighbour");
        }
    }

    @Test
    void podsReachEachOther() {
        try (PodHandle server = NODE.pod("server", handler); PodHandle client = NODE.pod("client", handler)) {
            server.start(server("of another pod"));

            assertThat(fetch(client.start(idle()), server.ip())).isEqualTo("of another pod");
        }
    }

    @Test
    void aHostPortLeadsToThePodUntilItIsGone() {
        int port = 18080;
        var config = Configs.pod("hostport", NODE.logs()).addPortMappings(PortMapping.newBuilder()
                .setProtocol(Protocol.TCP).setContainerPort(80).setHostPort(port));
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            pod.start(server("through the host"));

            assertThat(fetch("127.0.0.1", port)).isEqualTo("through the host");
            assertThat(fetch("10.88.0.1", port)).isEqualTo("through the host");
        }
        assertThat(Ports.isOpen("10.88.0.1", port)).isFalse();
    }

    @Test
    void aContainerPortWithoutAHostPortIsReachedAtThePodsAddressAlone() {
        var config = Configs.pod("containerport", NODE.logs()).addPortMappings(PortMapping.newBuilder()
                .setProtocol(Protocol.TCP).setContainerPort(80));
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            pod.start(server("at its own port"));

            assertThat(fetch(pod.ip(), 80)).isEqualTo("at its own port");
            assertThat(Ports.isOpen("10.88.0.1", 80)).isFalse();
        }
    }

    @Test
    void aHostPortOfOneAddressOfTheNodeIsOnNoOther() {
        int port = 18081;
        var config = Configs.pod("hostip", NODE.logs()).addPortMappings(PortMapping.newBuilder()
                .setProtocol(Protocol.TCP).setContainerPort(80).setHostPort(port).setHostIp("10.88.0.1"));
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            pod.start(server("at one address"));

            assertThat(fetch("10.88.0.1", port)).isEqualTo("at one address");
            assertThat(Ports.isOpen("127.0.0.1", port)).isFalse();
        }
    }

    @Test
    void aHostNetworkPodIsInTheNetworkNamespaceOfTheNode() throws IOException {
        var config = Configs.hostNetworkPod("hostnet", NODE.logs());
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            String seen = pod.start(idle()).sh("readlink /proc/self/ns/net");

            assertThat(seen).isEqualTo(Files.readSymbolicLink(Path.of("/proc/self/ns/net")).toString());
        }
    }

    @Test
    void aPodHasTheDnsOfItsConfiguration() {
        var config = Configs.pod("dns", NODE.logs()).setDnsConfig(DNSConfig.newBuilder()
                .addServers("10.96.0.10").addServers("10.96.0.11").addSearches("default.svc.cluster.local")
                .addSearches("cluster.local").addOptions("ndots:5"));
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            assertThat(pod.start(idle()).sh("cat /etc/resolv.conf").lines()).containsExactlyInAnyOrder(
                    "nameserver 10.96.0.10", "nameserver 10.96.0.11",
                    "search default.svc.cluster.local cluster.local", "options ndots:5");
        }
    }

    @Test
    void aPodHasItsHostname() {
        var config = Configs.pod("hostname", NODE.logs()).setHostname("web-0");
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerHandle container = pod.start(idle());

            assertThat(container.sh("hostname")).isEqualTo("web-0");
            assertThat(container.sh("cat /etc/hostname")).isEqualTo("web-0");
        }
    }

    @Test
    void aStoppedPodGivesItsAddressBack() {
        try (PodHandle pod = NODE.pod("lease", handler)) {
            pod.start(idle());
            Path lease = NODE.network().leaseOf(pod.ip());
            assertThat(lease).exists();

            pod.stop();

            assertThat(lease).doesNotExist();
            assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        }
    }

    @Test
    void theNodeItselfReachesAPod() {
        try (PodHandle pod = NODE.pod("reach", handler)) {
            pod.start(server("to the node"));

            assertThat(fetch(pod.ip(), 80)).isEqualTo("to the node");
            assertThat(Command.output("ip", "-4", "-o", "addr", "show")).doesNotContain(pod.ip() + "/");
        }
    }

    private static ContainerConfig.Builder idle() {
        return Configs.container("idle", NODE.busybox(), "sleep", "1000");
    }

    private static ContainerConfig.Builder server(String page) {
        return Configs.container("server", NODE.busybox(), "sh", "-c",
                "printf '%s' '" + page + "' > /www/index.html; exec httpd -f -p 80 -h /www");
    }

    private static String fetch(ContainerHandle client, String address) {
        return client.sh("for i in $(seq 100); do wget -q -O - http://" + address
                + "/ && exit 0; usleep 100000; done; exit 1");
    }

    private static String fetch(String address, int port) {
        Await.until(address + ":" + port + " is open", Duration.ofSeconds(10),
                () -> Ports.isOpen(address, port),
                open -> open);
        try (var in = URI.create("http://" + address + ":" + port + "/").toURL().openStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
