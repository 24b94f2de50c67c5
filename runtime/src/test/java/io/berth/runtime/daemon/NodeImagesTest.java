package io.berth.runtime.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.runtime.config.BerthConfig;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class NodeImagesTest {
    private static final Map<String, String> INHERITED = Map.of("PATH", "/bin", "HTTP_PROXY", "http://a",
            "no_proxy",
            "x");

    @Test
    void theConfigurationsProxiesComeBeforeTheEnvironments() {
        var proxies = new BerthConfig.Proxies("http://u:s3cret@b", "", List.of("10.0.0.0/8", ".corp"));
        assertThat(NodeImages.environment(proxies, INHERITED)).isEqualTo(Map.of("PATH", "/bin", "HTTP_PROXY",
                "http://u:s3cret@b", "no_proxy", "x", "NO_PROXY", "10.0.0.0/8,.corp"));
        assertThat(proxies.toString()).doesNotContain("s3cret");
    }

    @Test
    void whatTheConfigurationDoesNotSetIsTheEnvironments() {
        assertThat(NodeImages.environment(new BerthConfig.Proxies("", "", List.of()), INHERITED))
                .isEqualTo(INHERITED);
    }
}
