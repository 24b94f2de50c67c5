package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.NetworkConfig;
import io.berth.cri.v1.PodIP;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PortMapping;
import io.berth.cri.v1.Protocol;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RuntimeCondition;
import io.berth.cri.v1.RuntimeConfig;
import io.berth.cri.v1.StatusRequest;
import io.berth.cri.v1.UpdateRuntimeConfigRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.CniNetwork;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** A daemon whose network configuration comes, changes and goes while it serves. */
@Testcontainers
final class NetworkConfigurationIT {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String BRIDGE = "e2ebr1";

    @Container
    static final Node NODE = new Node();

    private Path directory;
    private CniNetwork network;
    private BerthDaemon daemon;
    private Cri cri;

    @BeforeEach
    void makeAFolderWithoutANetwork() throws IOException {
        directory = Files.createTempDirectory(Node.workspace(), "c");
        network = new CniNetwork(directory.resolve("cni"));
        Files.delete(network.configurations().resolve("10-e2e.conflist"));
        daemon = configured(List.of());
        cri = Cri.connect(daemon.socket());
    }

    @AfterEach
    void end() {
        cri.close();
        daemon.stop();
        Command.run(List.of("ip", "link", "del", BRIDGE));
    }

    @Test
    void thePodsAddressesThatKubeletTellsMakeTheNetwork() throws IOException {
        start("cni.conf_template = \"" + template() + "\"");
        assertThat(networkReady().getStatus()).isFalse();
        assertThat(networkReady().getMessage()).contains("no network configuration");

        tell("10.91.7.0/24,fd00:91::/64");

        assertThat(networkReady().getStatus()).isTrue();
        try (PodHandle pod = pod("dual")) {
            assertThat(pod.ip()).startsWith("10.91.7.");
            assertThat(pod.status().getNetwork().getAdditionalIpsList()).extracting(PodIP::getIp)
                    .singleElement()
                    .asString().startsWith("fd00:91::");
            ContainerHandle container = idle(pod);
            assertThat(container.sh("ip -o addr show dev eth0")).contains("inet " + pod.ip() + "/24")
                    .contains("inet6 " + pod.status().getNetwork().getAdditionalIps(0).getIp() + "/64");
            assertThat(container.sh("ip route; ip -6 route")).contains("default via 10.91.7.1")
                    .contains("default via fd00:91::1");
            assertThat(container.sh("ip -o addr show dev lo")).contains("inet 127.0.0.1/8")
                    .contains("inet6 ::1/128");
        }
        // The bridge plugin keeps a bridge's address.
        Command.output("ip", "link", "del", BRIDGE);
        tell("10.92.0.0/24");
        try (PodHandle pod = pod("moved")) {
            assertThat(pod.ip()).startsWith("10.92.0.");
        }
    }

    @Test
    void whatIsNoRangeIsRefusedAndAnotherConfigurationIsLeftAlone() throws IOException {
        start("cni.conf_template = \"" + template() + "\"");
        for (String wrong : List.of("10.0.0.0", "10.0.0.0/33", "example.org/8", "10.0.0.0/8,10.1.0.0/16",
                "fd00::/129")) {
            assertThatThrownBy(() -> tell(wrong)).hasMessageStartingWith("INVALID_ARGUMENT")
                    .hasMessageContaining("pod_cidr");
        }
        new CniNetwork(directory.resolve("cni"));

        tell("10.93.0.0/24");

        assertThat(network.configurations()).isDirectoryNotContaining("glob:**berth*");
        try (PodHandle pod = pod("addon")) {
            assertThat(pod.ip()).startsWith("10.88.");
        }
    }

    @Test
    void hostPortsAreOpenedForEveryProtocolAndOnTheNamedAddressOnly() throws IOException {
        start("cni.conf_template = \"" + template() + "\"");
        tell("10.91.8.0/24,fd00:918::/64");
        PodSandboxConfig.Builder config = Configs.pod("ports", directory.resolve("logs"))
                .addPortMappings(mapping(Protocol.TCP, 8001, "127.0.0.1"))
                .addPortMappings(mapping(Protocol.UDP, 8002, ""))
                .addPortMappings(mapping(Protocol.SCTP, 8003, ""))
                .addPortMappings(mapping(Protocol.TCP, 8004, "fd00:918::1"));
        String v4;
        try (PodHandle pod = PodHandle.run(cri, config, "runc")) {
            v4 = Command.output("iptables-save", "-t", "nat");
            String v6 = Command.output("ip6tables-save", "-t", "nat");
            assertThat(v4)
                    .containsPattern("-d 127.0.0.1/32 -p tcp .*--dport 8001 -j DNAT --to-destination "
                            + pod.ip() + ":80")
                    .containsPattern("-p udp .*--dport 8002 -j DNAT --to-destination " + pod.ip() + ":80")
                    .containsPattern("-p sctp .*--dport 8003 -j DNAT --to-destination " + pod.ip() + ":80")
                    .doesNotContain("--dport 8004 -j DNAT");
            assertThat(v6).containsPattern("-d fd00:918::1/128 -p tcp .*--dport 8004 -j DNAT");
        }
        assertThat(Command.output("iptables-save", "-t", "nat")).doesNotContain("--dport 8001")
                .doesNotContain("--dport 8003");
        assertThat(Command.output("ip6tables-save", "-t", "nat")).doesNotContain("--dport 8004");
    }

    @Test
    void bandwidthAnnotationsShapeThePodsTraffic() throws IOException {
        start("cni.conf_template = \"" + template() + "\"");
        tell("10.91.9.0/24");
        PodSandboxConfig.Builder config = Configs.pod("shaped", directory.resolve("logs"))
                .putAnnotations("kubernetes.io/ingress-bandwidth", "8M")
                .putAnnotations("kubernetes.io/egress-bandwidth", "16M");
        try (PodHandle pod = PodHandle.run(cri, config, "runc")) {
            assertThat(pod.ip()).startsWith("10.91.9.");
            assertThat(Command.output("tc", "qdisc", "show")).contains("tbf").contains("rate 8Mbit")
                    .contains("rate 16Mbit");
        }
        assertThat(Command.output("tc", "qdisc", "show")).doesNotContain("tbf");
        assertThatThrownBy(() -> PodHandle.run(cri, Configs.pod("wrong", directory.resolve("logs"))
                .putAnnotations("kubernetes.io/ingress-bandwidth", "fast"), "runc"))
                .hasMessageContaining("kubernetes.io/ingress-bandwidth").hasMessageContaining("fast");
    }

    @Test
    void aPluginOfVersion11SaysWhetherItServesAndForgetsThePodsThatAreGone() throws IOException {
        Path calls = plugin("1.1.0");
        Files.writeString(network.configurations().resolve("10-verbs.conflist"), """
            {"cniVersion": "1.1.0", "name": "verbs", "plugins": [{"type": "recorder"}]}
            """);
        start("cni.bin_dirs = [\"" + directory.resolve("bin") + "\"]");
        Await.until("GC at the start", PATIENCE, () -> of(calls, "GC"), found -> !found.isEmpty());
        assertThat(of(calls, "GC").getLast().path("cni.dev/valid-attachments").isEmpty()).isTrue();
        String kept;
        try (PodHandle pod = pod("kept")) {
            kept = pod.id();
            pod("gone").close();

            JsonNode last = Await.until("GC after the removal", PATIENCE, () -> of(calls, "GC"),
                    found -> found.getLast().path("cni.dev/valid-attachments").size() == 1).getLast();
            assertThat(last.at("/cni.dev~1valid-attachments/0/containerID").asText()).isEqualTo(kept);
            assertThat(last.at("/cni.dev~1valid-attachments/0/ifname").asText()).isEqualTo("eth0");
            assertThat(last.path("name").asText()).isEqualTo("verbs");
            daemon.kill();
            daemon.start();
            JsonNode checked = Await.until("CHECK after a restart", PATIENCE, () -> of(calls, "CHECK"),
                    found -> !found.isEmpty()).getLast();
            assertThat(checked.at("/prevResult/ips/0/address").asText()).isEqualTo("10.99.0.2/24");
            // The old configuration and result are DEL's, whatever the folder has by then.
            Files.delete(network.configurations().resolve("10-verbs.conflist"));
            assertThat(networkReady().getStatus()).isFalse();
        }
        assertThat(of(calls, "DEL").getLast().at("/prevResult/ips/0/address").asText())
                .isEqualTo("10.99.0.2/24");
    }

    @Test
    void aPluginThatCannotServeMakesTheNetworkNotReadyAndOneOfAnOlderVersionIsNotAsked() throws IOException {
        Path calls = plugin("1.1.0");
        Files.writeString(directory.resolve("broken"), "");
        Path list = network.configurations().resolve("10-verbs.conflist");
        Files.writeString(list, """
            {"cniVersion": "1.1.0", "name": "verbs", "plugins": [{"type": "recorder"}]}
            """);
        start("cni.bin_dirs = [\"" + directory.resolve("bin") + "\"]");
        assertThat(networkReady().getStatus()).isFalse();
        assertThat(networkReady().getReason()).isEqualTo("NetworkPluginNotReady");
        assertThat(networkReady().getMessage()).contains("recorder").contains("the uplink is down");
        Files.delete(directory.resolve("broken"));
        plugin("1.0.0");
        Files.writeString(calls, "");
        Files.writeString(list, """
            {"cniVersion": "1.0.0", "name": "verbs-old", "plugins": [{"type": "recorder"}]}
            """);

        pod("old").close();

        assertThat(networkReady().getStatus()).isTrue();
        Await.until("its DEL", PATIENCE, () -> of(calls, "DEL"), found -> !found.isEmpty());
        assertThat(of(calls, "GC")).isEmpty();
        assertThat(of(calls, "STATUS")).isEmpty();
    }

    /** A plugin of the real protocol that makes nothing: it writes down what it is asked. */
    private Path plugin(String version) throws IOException {
        Path bin = Files.createDirectories(directory.resolve("bin"));
        Path calls = directory.resolve("calls");
        Path script = Files.writeString(bin.resolve("recorder"),
                """
                    #!/bin/sh
                    input=$(cat | tr -d '\\n')
                    echo "$CNI_COMMAND $input" >> %s
                    case $CNI_COMMAND in
                        VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0", "%s"]}' ;;
                        ADD) echo '{"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": "'$CNI_NETNS'"}],
                                    "ips": [{"address": "10.99.0.2/24", "interface": 0}]}' ;;
                        STATUS) [ ! -e %s ] || { echo '{"cniVersion": "1.1.0", "code": 50, "msg": "the uplink is down"}'; exit 1; } ;;
                    esac
                    """.formatted(
                        calls, version, directory.resolve("broken")));
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
        return calls;
    }

    private static List<JsonNode> of(Path calls, String command) {
        try {
            var found = new ArrayList<JsonNode>();
            for (String line : Files.exists(calls) ? Files.readAllLines(calls) : List.<String>of()) {
                if (line.startsWith(command + " ")) {
                    found.add(JSON.readTree(line.substring(command.length() + 1)));
                }
            }
            return found;
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private String template() throws IOException {
        return Files.writeString(directory.resolve("template.conflist"), """
            {"cniVersion": "1.0.0", "name": "templated", "plugins": [
              {"type": "bridge", "bridge": "%s", "isGateway": true, "ipMasq": true,
               "ipam": {"type": "host-local", "dataDir": "%s", "ranges": "${ranges}", "routes": "${routes}"}},
              {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true},
              {"type": "bandwidth", "capabilities": {"bandwidth": true}}
            ]}
            """.formatted(BRIDGE, directory.resolve("leases"))).toString();
    }

    private void start(String... settings) {
        daemon = configured(List.of(settings));
        daemon.start();
    }

    private BerthDaemon configured(List<String> settings) {
        return new BerthDaemon(BerthDaemon.Options.in(directory.resolve("d"), network, NODE.registriesConf())
                .withSettings(settings));
    }

    private void tell(String podCidr) {
        cri.runtime().updateRuntimeConfig(UpdateRuntimeConfigRequest.newBuilder().setRuntimeConfig(
                RuntimeConfig.newBuilder().setNetworkConfig(NetworkConfig.newBuilder().setPodCidr(podCidr)))
                .build());
    }

    private PodHandle pod(String name) {
        return PodHandle.run(cri, Configs.pod(name, directory.resolve("logs")), "runc");
    }

    private ContainerHandle idle(PodHandle pod) {
        cri.images().pullImage(PullImageRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(NODE.busybox())).build());
        return pod.start(Configs.container("idle", NODE.busybox(), "sleep", "1000"));
    }

    private static PortMapping mapping(Protocol protocol, int hostPort, String hostIp) {
        return PortMapping.newBuilder().setProtocol(protocol).setContainerPort(80).setHostPort(hostPort)
                .setHostIp(hostIp).build();
    }

    private RuntimeCondition networkReady() {
        return cri.runtime().status(StatusRequest.getDefaultInstance()).getStatus().getConditionsList()
                .stream()
                .filter(condition -> "NetworkReady".equals(condition.getType())).findFirst().orElseThrow();
    }
}
