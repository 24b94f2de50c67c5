package io.berth.imagestore.registry;

import static io.berth.imagestore.registry.TestOptions.fails;
import static io.berth.imagestore.registry.TestOptions.options;
import static org.assertj.core.api.Assertions.assertThat;

import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProxiesTest {
    @TempDir
    private Path directory;

    @ParameterizedTest
    @CsvSource({"https, registry.example, 443, p:2", "http, registry.example, 80, p:1",
            "https, quay.io, 443, direct", "https, a.quay.io, 443, direct", "https, notquay.io, 443, p:2",
            "https, in.corp, 443, direct", "https, corp, 443, p:2", "https, host.port, 5000, direct",
            "https, host.port, 443, p:2", "https, 10.1.2.3, 443, direct", "https, 10.2.2.3, 443, p:2",
            "https, fd00::7, 443, direct", "http, localhost, 5000, direct", "http, 127.0.0.9, 5000, direct"})
    void theEnvironmentSaysWhoGoesThroughAProxy(String scheme, String host, int port, String way)
            throws Exception {
        Proxies proxies = new Proxies(Map.of("HTTP_PROXY", "http://p:1", "https_proxy", "p:2", "NO_PROXY",
                "quay.io, .corp,host.port:5000,10.1.0.0/16,fd00::/8"));
        assertThat(String.valueOf(proxies.proxyFor(scheme, host, port))).isEqualTo(
                way.equals("direct") ? "null" : way);
    }

    @Test
    void aMalformedProxyIsRefusedWithoutQuotingIt() {
        fails(() -> RegistryClient.open(options(null, null, Map.of("HTTPS_PROXY", "socks5://u:secret@h"))),
                Kind.INVALID, "HTTPS_PROXY does not name a proxy");
    }

    @Test
    void aPullGoesThroughTheProxyWithItsOwnCredentials() throws Exception {
        TestImage image = TestImage.of("amd64", 1000);
        // A plain-http proxy is asked for whole URLs; this one answers as if it were the registry.
        try (FakeRegistry proxy = new FakeRegistry().with("app", "1", image)) {
            Path conf = Files.writeString(directory.resolve("registries.conf"),
                    "[[registry]]\nlocation = \"registry.example:80\"\ninsecure = true\n");
            proxy.answer(FakeRegistry.manifest("app", "1"),
                    FakeRegistry.status(407, "Proxy-Authenticate", "Basic realm=\"proxy\""));
            RegistryClient client = RegistryClient
                    .open(options(conf, null, Map.of("HTTP_PROXY", "http://me:p%40ss@" + proxy.host())));
            try (Resolved resolved = client.resolve("registry.example:80/app:1", RegistryAuth.NONE)) {
                assertThat(resolved.readConfig()).isEqualTo(image.config());
            }
            assertThat(proxy.asked()).extracting(FakeRegistry.Asked::proxyAuthorization)
                    .contains("Basic " + Base64.getEncoder().encodeToString("me:p@ss".getBytes(
                            StandardCharsets.UTF_8)));
            assertThat(proxy.asked()).extracting(FakeRegistry.Asked::authorization).containsOnlyNulls();
        }
    }
}
