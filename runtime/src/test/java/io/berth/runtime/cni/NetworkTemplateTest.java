package io.berth.runtime.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class NetworkTemplateTest {
    private static final String TEMPLATE = """
        {"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "x", "note": "of ${podCidr}",
         "ipam": {"ranges": "${ranges}", "routes": "${routes}", "keep": [1, true, null]}}]}
        """;

    @Test
    void rangesAndRoutesOfBothFamiliesComeInTheirOrder() throws Exception {
        String filled = NetworkTemplate.fill(TEMPLATE, PodCidrs.parse("fd00::/64, 10.1.0.0/16"));

        assertThat(NetworkConfig.JSON.readTree(filled)).isEqualTo(NetworkConfig.JSON.readTree("""
            {"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "x", "note": "of fd00::/64",
             "ipam": {"ranges": [[{"subnet": "fd00::/64"}], [{"subnet": "10.1.0.0/16"}]],
             "routes": [{"dst": "::/0"}, {"dst": "0.0.0.0/0"}], "keep": [1, true, null]}}]}
            """));
    }

    @Test
    void whatIsNoNetworkConfigurationIsRefused() {
        assertThatThrownBy(
                () -> NetworkTemplate.fill("{\"cniVersion\": \"1.0.0\"}", PodCidrs.parse("10.0.0.0/8")))
                .isInstanceOf(CniException.class);
        assertThatThrownBy(() -> NetworkTemplate.fill("{", PodCidrs.parse("10.0.0.0/8")))
                .isInstanceOf(CniException.class).hasMessageContaining("not JSON");
    }

    @ParameterizedTest
    @ValueSource(strings = {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "::1/129", "example.org/8",
            "/8",
            "10.0.0.0/8,", "10.0.0.0/8,10.1.0.0/16", "fe80::1%eth0/64", "10.0.0.0/-1"})
    void whatIsNoRangeIsNamed(String text) {
        assertThatThrownBy(() -> PodCidrs.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void nothingIsNoRange() {
        assertThat(PodCidrs.parse(" ").ranges()).isEmpty();
    }
}
