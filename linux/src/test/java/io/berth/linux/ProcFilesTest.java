package io.berth.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProcFilesTest {
    @Test
    void interfaceCountersAreReadByTheirColumns() {
        List<NetworkInterfaces.Statistics> all = NetworkInterfaces
                .parse(List.of("Inter-|   Receive", " face |bytes",
                        "  eth0:123456789012 2 3 4 5 6 7 8 90 10 11 12 13 14 15 16",
                        "a:b:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"));

        assertThat(all).containsExactly(
                new NetworkInterfaces.Statistics("eth0", 123456789012L, 2, 3, 4, 90, 10, 11, 12),
                new NetworkInterfaces.Statistics("a:b", 1, 2, 3, 4, 9, 10, 11, 12));
        assertThatThrownBy(() -> NetworkInterfaces.parse(List.of("", "", "eth0 1 2")))
                .hasMessageContaining("eth0 1 2");
    }

    @Test
    void capabilitiesAreReadByTheirNumbers() throws IOException {
        String status = "Name:\tx\nCapPrm:\t0000000000000000\nCapBnd:\t0000010000200001\n";

        assertThat(Capability.parse(status, Capability.Kind.BOUNDING)).containsExactly(Capability.CAP_CHOWN,
                Capability.CAP_SYS_ADMIN, Capability.CAP_CHECKPOINT_RESTORE);
        assertThat(Capability.parse(status, Capability.Kind.PERMITTED)).isEmpty();
        assertThat(Capability.own(Capability.Kind.EFFECTIVE)).contains(Capability.CAP_SYS_ADMIN);
    }
}
