package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.CgroupDriver;
import io.berth.cri.v1.ContainerStatusRequest;
import io.berth.cri.v1.PodSandboxStatusRequest;
import io.berth.cri.v1.RuntimeCondition;
import io.berth.cri.v1.RuntimeConfigRequest;
import io.berth.cri.v1.RuntimeHandler;
import io.berth.cri.v1.RuntimeServiceGrpc;
import io.berth.cri.v1.StatusRequest;
import io.berth.cri.v1.StatusResponse;
import io.berth.cri.v1.VersionRequest;
import io.berth.cri.v1.VersionResponse;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import io.grpc.MethodDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** What the runtime says about itself. */
@Testcontainers
final class StatusIT {
    @Container
    static final Node NODE = new Node();

    @Test
    void theVersionNamesTheRuntimeAndTheApi() {
        VersionResponse version = NODE.cri().runtime().version(VersionRequest.getDefaultInstance());

        assertThat(version.getRuntimeName()).isEqualTo("berth");
        assertThat(version.getRuntimeApiVersion()).isEqualTo("v1");
        assertThat(version.getRuntimeVersion()).matches("\\d+\\.\\d+\\.\\d+.*");
    }

    @Test
    void runtimeAndNetworkAreReadyAndTheHandlersListed() {
        StatusResponse status = NODE.cri().runtime()
                .status(StatusRequest.newBuilder().setVerbose(true).build());

        assertThat(status.getStatus().getConditionsList()).filteredOn(RuntimeCondition::getStatus)
                .extracting(RuntimeCondition::getType).contains("RuntimeReady", "NetworkReady");
        assertThat(status.getRuntimeHandlersList()).extracting(RuntimeHandler::getName).contains("", "runc",
                "crun");
        assertThat(status.getInfoMap()).isNotEmpty();
    }

    @Test
    void withoutANetworkConfigurationTheNetworkIsNotReadyAndSaysWhy() throws IOException {
        Path conflist = NODE.network().configurations().resolve("10-e2e.conflist");
        Path aside = NODE.directory().resolve("aside");
        Files.move(conflist, aside);
        try {
            RuntimeCondition network = Await.until("the network is not ready", Duration.ofSeconds(20),
                    StatusIT::network,
                    condition -> !condition.getStatus());
            assertThat(network.getMessage()).contains(NODE.network().configurations().toString());
        } finally {
            Files.move(aside, conflist);
        }
        Await.until("the network is ready again", Duration.ofSeconds(20), StatusIT::network,
                RuntimeCondition::getStatus);
    }

    @Test
    void theCgroupDriverIsTheOneOfTheConfiguration() {
        assertThat(NODE.cri().runtime().runtimeConfig(RuntimeConfigRequest.getDefaultInstance()).getLinux()
                .getCgroupDriver())
                .isEqualTo(Configs.SYSTEMD_DRIVER ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS);
    }

    @Test
    void verboseStatusHasMoreToSayThanTheOther() {
        try (PodHandle pod = NODE.pod("verbose", "")) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
            var request = ContainerStatusRequest.newBuilder().setContainerId(container.id());

            assertThat(NODE.cri().runtime().containerStatus(request.setVerbose(true).build()).getInfoMap())
                    .isNotEmpty();
            assertThat(NODE.cri().runtime().containerStatus(request.setVerbose(false).build()).getInfoMap())
                    .isEmpty();
            assertThat(NODE.cri().runtime().podSandboxStatus(PodSandboxStatusRequest.newBuilder()
                    .setPodSandboxId(pod.id()).setVerbose(true).build()).getInfoMap()).isNotEmpty();
        }
    }

    @Test
    void theSocketIsForRootAlone() throws IOException {
        assertThat(Command.output("stat", "-c", "%a %u", NODE.server().socket().toString()))
                .isEqualTo("660 0");
    }

    @Test
    void whatIsNotBuiltSaysSoWithItsNameAndIsInTheReadme() throws IOException {
        var missing = new TreeSet<String>();
        for (MethodDescriptor<?, ?> method : RuntimeServiceGrpc.getServiceDescriptor().getMethods()) {
            NODE.cri().errorOf(method, Duration.ofSeconds(2))
                    .filter(status -> status.getCode() == io.grpc.Status.Code.UNIMPLEMENTED)
                    .ifPresent(status -> {
                        assertThat(status.getDescription()).contains(method.getBareMethodName());
                        missing.add(method.getBareMethodName());
                    });
        }
        String section = Files.readString(Path.of("README.md"))
                .split("## What is not built yet|## Measure it")[1];

        assertThat(Pattern.compile("`([A-Z]\\w+)`").matcher(section).results().map(result -> result.group(1)))
                .containsExactlyInAnyOrderElementsOf(missing);
    }

    private static RuntimeCondition network() {
        return NODE.cri().runtime().status(StatusRequest.getDefaultInstance()).getStatus().getConditionsList()
                .stream()
                .filter(condition -> "NetworkReady".equals(condition.getType())).findFirst().orElseThrow();
    }
}
