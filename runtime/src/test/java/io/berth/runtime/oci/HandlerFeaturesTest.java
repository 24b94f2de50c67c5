package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class HandlerFeaturesTest {
    private final HostFacts host = SpecRequest.host(true);

    @Test
    void believesTheFeaturesDocument() throws OciException {
        JsonNode full = json("""
            {"mountOptions":["ro","rro"],"linux":{"namespaces":["user"]}}""");
        assertThat(HandlerFeatures.of(full, host)).isEqualTo(new HandlerFeatures(true, true));
        assertThat(HandlerFeatures.of(full, SpecRequest.poorHost())).isEqualTo(HandlerFeatures.NONE);
        JsonNode old = json("{\"mountOptions\":[\"ro\"],\"linux\":{\"namespaces\":[\"pid\"]}}");
        assertThat(HandlerFeatures.of(old, host)).isEqualTo(HandlerFeatures.NONE);
    }

    @Test
    void knowsCrunByItsVersion() {
        assertThat(HandlerFeatures.ofVersion("crun version 1.8.1", host))
                .isEqualTo(new HandlerFeatures(true, true));
        assertThat(HandlerFeatures.ofVersion("crun version 1.3", host))
                .isEqualTo(new HandlerFeatures(false, true));
        assertThat(HandlerFeatures.ofVersion("other 9.9", host)).isEqualTo(HandlerFeatures.NONE);
        assertThat(HandlerFeatures.ofVersion("crun version 1.8.1", SpecRequest.poorHost()))
                .isEqualTo(HandlerFeatures.NONE);
    }

    private static JsonNode json(String text) throws OciException {
        return OciSpec.parseJson(text.getBytes(StandardCharsets.UTF_8), "features");
    }
}
