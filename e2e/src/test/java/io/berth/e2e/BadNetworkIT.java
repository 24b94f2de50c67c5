package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.PodSandbox;
import io.berth.cri.v1.PodSandboxState;
import io.berth.cri.v1.RuntimeCondition;
import io.berth.cri.v1.StatusRequest;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.FaultyPlugin;
import io.berth.e2e.node.FaultyPlugin.Fault;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Processes;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Network plugins that hang, fail or are missing: who is told what, whom it holds up, and what is left. */
@Testcontainers
final class BadNetworkIT {
    private static final Path PLUGINS = Node.workspace().resolve("faulty-plugins");
    private static final Duration PLUGIN_TIMEOUT = Duration.ofSeconds(10);

    @Container
    static final Node NODE = new Node("cni.bin_dirs = [\"" + PLUGINS + "\", \"/usr/lib/cni\"]",
            "cni.timeout = \"" + PLUGIN_TIMEOUT.toSeconds() + "s\"");

    private static final FaultyPlugin PLUGIN = new FaultyPlugin(PLUGINS);

    @BeforeAll
    static void chainThePlugin() {
        NODE.network().chain(FaultyPlugin.TYPE);
    }

    @AfterEach
    void nothingIsLeft() {
        NODE.network().chain(FaultyPlugin.TYPE);
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @Test
    void aPluginThatHangsEndsAtItsDeadlineHoldsUpNoOtherPodAndLeavesNothing() {
        PLUGIN.fault("stuck", "ADD", Fault.HANG);
        long began = System.nanoTime();
        var stuck = CompletableFuture.runAsync(() -> NODE.pod("stuck", "runc"));
        try (PodHandle other = NODE.pod("other", "runc")) {
            ContainerHandle container = other.start(idle());
            assertThat(container.sh("echo $(hostname)")).isEqualTo("other");
            assertThat(NODE.cri().runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                    .getItemsList()).extracting(PodSandbox::getId).containsExactly(other.id());
        }
        assertThat(stuck.isDone()).as("the other pod came and went while the plugin hung").isFalse();

        assertThatThrownBy(stuck::join).isInstanceOf(CompletionException.class)
                .hasMessageContaining("DEADLINE_EXCEEDED").hasMessageContaining("plugin faulty (3 of 3")
                .hasMessageContaining("default/stuck").hasMessageContaining("[cni] timeout sets the limit");
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(PLUGIN_TIMEOUT.multipliedBy(3));
        assertThat(Processes.commandLines())
                .noneMatch(line -> line.endsWith(FaultyPlugin.SLEEP));
        PLUGIN.mend("stuck", "ADD");
        NODE.pod("stuck", "runc").close();
    }

    @Test
    void aPodWhosePluginFailsOnDelIsStoppedOnceItWorks() {
        PodHandle pod = NODE.pod("undeletable", "runc");
        ContainerHandle container = pod.start(idle());
        PLUGIN.fault("undeletable", "DEL", Fault.FAIL);

        assertThatThrownBy(pod::stop).isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("plugin faulty (3 of 3 in network \"e2e\") failed on DEL")
                .hasMessageContaining("the switch is down [code 100]");
        assertThatThrownBy(pod::remove).hasMessageContaining("the switch is down");
        assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        assertThat(container.status().getExitCode()).as("its container was ended all the same")
                .isEqualTo(137);

        NODE.server().kill();
        NODE.server().start();
        assertThatThrownBy(pod::stop).as("after a restart of the daemon, too")
                .hasMessageContaining("the switch is down");
        PLUGIN.mend("undeletable", "DEL");
        pod.stop();
        pod.remove();
    }

    @Test
    void aPodWhosePluginHangsOnDelIsRemovedOnceItAnswers() {
        PodHandle pod = NODE.pod("sticky", "runc");
        PLUGIN.fault("sticky", "DEL", Fault.HANG);

        assertThatThrownBy(pod::stop).hasMessageContaining("DEADLINE_EXCEEDED")
                .hasMessageContaining("did not end within");
        PLUGIN.mend("sticky", "DEL");
        pod.remove();
        assertThat(NODE.cri().runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                .getItemsCount()).isZero();
    }

    @Test
    void aPluginThatIsMissingIsNamedWithWhereToPutIt() {
        try (PodHandle before = NODE.pod("before", "runc")) {
            NODE.network().chain("not-installed");

            RuntimeCondition network = NODE.cri().runtime().status(StatusRequest.getDefaultInstance())
                    .getStatus().getConditionsList().stream()
                    .filter(condition -> condition.getType().equals("NetworkReady")).findFirst()
                    .orElseThrow();
            assertThat(network.getStatus()).isFalse();
            assertThat(network.getMessage()).contains("not-installed", PLUGINS.toString(), "bin_dirs");
            assertThatThrownBy(() -> NODE.pod("unlucky", "runc"))
                    .hasMessageContaining("there is no executable \"not-installed\" in");
            assertThat(before.start(idle()).sh("echo alive")).as("pods of before live on").isEqualTo("alive");
        }
    }

    @Test
    void aPluginThatIsUninstalledWhileAPodRunsIsNamedAtItsEnd() throws IOException {
        PodHandle pod = NODE.pod("orphan", "runc");
        Path away = PLUGIN.executable().resolveSibling("away");
        Files.move(PLUGIN.executable(), away);
        try {
            assertThatThrownBy(pod::stop).hasMessageContaining("there is no executable \"faulty\" in");
        } finally {
            Files.move(away, PLUGIN.executable());
        }
        pod.close();
    }

    private static ContainerConfig.Builder idle() {
        return Configs.container("main", NODE.busybox(), "sleep", "1000");
    }
}
