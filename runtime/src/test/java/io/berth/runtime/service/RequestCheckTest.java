package io.berth.runtime.service;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.UnknownFieldSet;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.CreateContainerRequest;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.UpdateContainerResourcesRequest;
import io.berth.cri.v1.WindowsContainerConfig;
import io.berth.cri.v1.WindowsContainerResources;
import org.junit.jupiter.api.Test;

class RequestCheckTest {
    private static final int NO_VALUE = 77;

    private final RequestCheck check = new RequestCheck();

    @Test
    void aValueThatItsEnumLacksIsNamedWithItsPlace() {
        ContainerConfig.Builder config = ContainerConfig.newBuilder().addMounts(Mount.getDefaultInstance())
                .addMounts(Mount.newBuilder().setPropagationValue(NO_VALUE));

        assertThat(check.refusal(request(config))).contains("config.mounts[1].propagation: unknown value 77");
        assertThat(check.refusal(request(ContainerConfig.newBuilder().setStopSignalValue(NO_VALUE))))
                .contains("config.stop_signal: unknown value 77");
    }

    @Test
    void whatIsForWindowsIsRefusedEvenWhenEmpty() {
        assertThat(check.refusal(request(ContainerConfig.newBuilder()
                .setWindows(WindowsContainerConfig.getDefaultInstance()))))
                .contains("config.windows is set, but this node runs Linux");
        assertThat(check.refusal(UpdateContainerResourcesRequest.newBuilder()
                .setWindows(WindowsContainerResources.getDefaultInstance()).build()))
                .contains("windows is set, but this node runs Linux");
    }

    @Test
    void aFieldOfALaterApiIsLetPass() {
        ContainerConfig.Builder config = ContainerConfig.newBuilder().setUnknownFields(UnknownFieldSet
                .newBuilder().addField(4000, UnknownFieldSet.Field.newBuilder().addVarint(1).build())
                .build());

        assertThat(check.refusal(request(config))).isEmpty();
    }

    @Test
    void whatMayBeObeyedIsLetPass() {
        assertThat(check.refusal(request(ContainerConfig.newBuilder().putLabels("a", "b")))).isEmpty();
        assertThat(check.refusal(CreateContainerRequest.getDefaultInstance())).isEmpty();
    }

    private static CreateContainerRequest request(ContainerConfig.Builder config) {
        return CreateContainerRequest.newBuilder().setConfig(config).build();
    }
}
