package io.berth.cri;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.DebugFormat;
import io.berth.cri.v1.AuthConfig;
import io.berth.cri.v1.CriApi;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The CRI's wire format: kubelet and crictl were compiled from the same facts. */
class WireFactsTest {
    private final Set<String> compiled = WireFacts.of(CriApi.getDescriptor());

    @Test
    void everyFactIsInTheProtobufFile() throws Exception {
        assertThat(difference(WireFacts.ofTable(), compiled)).isEmpty();
    }

    @Test
    void theProtobufFileHasNothingElse() throws Exception {
        assertThat(difference(compiled, WireFacts.ofTable())).isEmpty();
    }

    @Test
    void theTableIsWhole() throws Exception {
        assertThat(WireFacts.ofTable()).filteredOn(row -> row.startsWith("rpc\t")).hasSize(43);
        assertThat(WireFacts.ofTable()).hasSizeGreaterThan(750);
    }

    @Test
    void clientsFindTheServicesByTheirWireNames() {
        assertThat(CriApi.getDescriptor().getPackage()).isEqualTo("runtime.v1");
        assertThat(CriApi.getDescriptor().findServiceByName("RuntimeService")).isNotNull();
        assertThat(CriApi.getDescriptor().findServiceByName("ImageService")).isNotNull();
    }

    @Test
    void debugTextHidesCredentials() {
        AuthConfig auth = AuthConfig.newBuilder().setUsername("joe").setPassword("hunter2")
                .setAuth("am9lOmh1bnRlcjI=")
                .setIdentityToken("identity-secret").setRegistryToken("registry-secret").build();
        // toString() itself does not redact: a log of a message must use DebugFormat.
        assertThat(DebugFormat.singleLine().toString(auth))
                .doesNotContain("hunter2", "am9lOmh1bnRlcjI=", "identity-secret", "registry-secret")
                .contains("joe");
    }

    private static Set<String> difference(Set<String> of, Set<String> without) {
        Set<String> difference = new TreeSet<>(of);
        difference.removeAll(without);
        return difference;
    }
}
