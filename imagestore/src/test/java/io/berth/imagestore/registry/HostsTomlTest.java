package io.berth.imagestore.registry;

import static io.berth.imagestore.registry.TestOptions.fails;
import static io.berth.imagestore.registry.TestOptions.options;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** containerd's hosts.toml, as a node that was moved over has it. */
class HostsTomlTest {
    private static final TestImage IMAGE = TestImage.of("amd64", 30_000);
    @TempDir
    private Path directory;

    @Test
    void hostsAreAskedInTheOrderOfTheFileAndTheRegistryItselfLast() throws Exception {
        write("quay.io", """
            server = "https://quay.internal:8443"
            [host."https://z.example"]
              capabilities = ["pull", "resolve"]
            [host."http://a.example:5000/some/path"]
            [host."https://b.example/v2/x"]
              override_path = true
            """);
        assertThat(endpoints("quay.io/team/app:1")).extracting(HostsTomlTest::text).containsExactly(
                "https://z.example/v2 team/app ns=quay.io",
                "http://a.example:5000/some/path/v2 team/app ns=quay.io",
                "https://b.example/v2/x team/app ns=quay.io",
                "https://quay.internal:8443/v2 team/app ns=quay.io");
    }

    @Test
    void withoutAServerTheRegistryIsItsOwn() throws Exception {
        write("docker.io", "[host.\"https://mirror.example\"]\n");
        assertThat(endpoints("busybox")).extracting(HostsTomlTest::text).containsExactly(
                "https://mirror.example/v2 library/busybox ns=docker.io",
                "null://registry-1.docker.io/v2 library/busybox ns=null");
        write("docker.io", "server = \"https://registry-1.docker.io\"\n");
        assertThat(endpoints("busybox")).extracting(HostsTomlTest::text)
                .containsExactly("https://registry-1.docker.io/v2 library/busybox ns=null");
    }

    @Test
    void aDirectoryIsFoundByHostAndPortAndDefaultServesTheRest() throws Exception {
        write("_default", "[host.\"https://default.example\"]\n");
        write("reg.example:5000", "[host.\"https://colon.example\"]\n");
        assertThat(endpoints("other.example/app").getFirst().host()).isEqualTo("default.example");
        assertThat(endpoints("reg.example:5000/app").getFirst().host()).isEqualTo("colon.example");
        write("reg.example_5000_", "[host.\"https://underscore.example\"]\n");
        assertThat(endpoints("reg.example:5000/app").getFirst().host()).isEqualTo("underscore.example");
        Files.createDirectories(directory.resolve("certificates.example"));
        assertThat(HostsToml.read(List.of(directory), "certificates.example")).isNull();
    }

    @Test
    void aPullGoesToTheMirrorWithItsPathHeadersAndNamespace() throws Exception {
        try (FakeRegistry mirror = new FakeRegistry(); FakeRegistry origin = new FakeRegistry()) {
            origin.with("team/app", "1", IMAGE);
            for (String path : List.of("manifests/1", "manifests/" + IMAGE.manifestDigest())) {
                mirror.content("/proxy/v2/team/app/" + path, IMAGE.manifest());
            }
            IMAGE.blobs()
                    .forEach((digest, bytes) -> mirror.content("/proxy/v2/team/app/blobs/" + digest, bytes));
            write("registry.example", """
                server = "http://%s"
                [host."http://%s/proxy"]
                  [host."http://%s/proxy".header]
                    X-Mirror-Key = ["k1", "k2"]
                    x-other = "s3cret"
                """.formatted(origin.host(), mirror.host(), mirror.host()));

            pull("registry.example/team/app:1");

            assertThat(origin.asked()).isEmpty();
            assertThat(mirror.asked()).hasSize(3).allSatisfy(asked -> {
                assertThat(asked.query()).isEqualTo("ns=registry.example");
                assertThat(asked.headers().getFirst("X-Mirror-Key")).isEqualTo("k1, k2");
                assertThat(asked.headers().getFirst("X-Other")).isEqualTo("s3cret");
            });
        }
    }

    @Test
    void headersOfAHostDoNotFollowARedirectToAnother() throws Exception {
        try (FakeRegistry mirror = new FakeRegistry().with("team/app", "1", IMAGE);
                FakeRegistry storage = new FakeRegistry()) {
            String layer = TestImage.digest(IMAGE.layer());
            storage.content("/bucket", IMAGE.layer());
            mirror.answer(FakeRegistry.blob("team/app", layer),
                    FakeRegistry.status(307, "Location", "http://" + storage.host() + "/bucket"));
            write("registry.example", """
                [host."http://%1$s"]
                [host."http://%1$s".header]
                x-key = "s3cret"
                """.formatted(mirror.host()));

            pull("registry.example/team/app:1");

            assertThat(storage.asked()).hasSize(1)
                    .allSatisfy(asked -> assertThat(asked.headers()).doesNotContainKey("X-key"));
        }
    }

    @Test
    void aHostThatOnlyPullsIsNotAskedForTagsAndGivesTheBlobs() throws Exception {
        try (FakeRegistry cache = new FakeRegistry().with("team/app", "1", IMAGE);
                FakeRegistry origin = new FakeRegistry().with("team/app", "1", IMAGE)) {
            write("registry.example", """
                server = "http://%s"
                [host."http://%s"]
                capabilities = ["pull"]
                """.formatted(origin.host(), cache.host()));

            pull("registry.example/team/app:1");

            assertThat(origin.asked()).extracting(FakeRegistry.Asked::path)
                    .containsExactly(FakeRegistry.manifest("team/app", "1"));
            assertThat(cache.asked()).hasSize(2)
                    .allSatisfy(asked -> assertThat(asked.path()).contains("/blobs/"));
            pull("registry.example/team/app@" + IMAGE.manifestDigest());
            assertThat(origin.asked()).hasSize(1);
        }
    }

    @Test
    void aMirrorThatFailsIsPassedOver() throws Exception {
        try (FakeRegistry empty = new FakeRegistry();
                FakeRegistry origin = new FakeRegistry().with("team/app", "1", IMAGE)) {
            write("registry.example", """
                server = "http://%s"
                [host."http://127.0.0.1:1"]
                dial_timeout = "1s500ms"
                [host."http://%s"]
                """.formatted(origin.host(), empty.host()));

            pull("registry.example/team/app:1");

            assertThat(empty.asked()).hasSize(1);
            fails(() -> pull("registry.example/team/app:2"), Kind.NOT_FOUND, "at any of 3 endpoints",
                    "127.0.0.1:1", empty.host(), origin.host());
        }
    }

    @Test
    void withoutAResolvingHostATagCannotBePulled() throws Exception {
        write("registry.example", "capabilities = [\"pull\"]\n");
        fails(() -> pull("registry.example/team/app:1"), Kind.INVALID, "has the capability resolve");
    }

    @Test
    void aTableOfRegistriesConfDecidesAlone() throws Exception {
        try (FakeRegistry origin = new FakeRegistry().with("team/app", "1", IMAGE)) {
            write("_default", "[host.\"http://127.0.0.1:1\"]\n");
            Path conf = Files.writeString(directory.resolve("registries.conf"), """
                [[registry]]
                prefix = "registry.example"
                location = "%s"
                [[registry]]
                location = "blocked.example"
                blocked = true
                """.formatted(origin.host()));
            RegistryClient client = RegistryClient.open(
                    options(new RegistryFiles(conf, List.of(directory), List.of(), null, null), Map.of()));
            client.resolve("registry.example/team/app:1", RegistryAuth.NONE).close();
            fails(() -> client.resolve("blocked.example/app", RegistryAuth.NONE), Kind.FORBIDDEN, "blocked");
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\'', value = {
            "'x = = s3cret' | hosts.toml:1: this is not valid TOML, at column",
            "'server = 5' | hosts.toml:1: server must be a string",
            "'server = \"ftp://a\"' | hosts.toml:1: server is no URL of a registry",
            "'server = \"https://user:s3cret@a\"' | server is no URL of a registry",
            "'server = \"https://a b\"' | server is no URL",
            "'skip-verify = true' | hosts.toml:1: skip-verify is no key of hosts.toml here; known are ca,",
            "'[host.\"https://a\"]\nskipverify = true' | hosts.toml:2: skipverify is no key",
            "'[host.\"https://a\"]\ncapabilities = [\"fly\"]' | hosts.toml:2: capabilities has \"fly\"",
            "'ca = [5]' | ca must be a string or a list of strings",
            "'client = [[\"a\"]]' | client must be a file, a list of files, or a list of [certificate, key]",
            "'dial_timeout = \"3 s\"' | dial_timeout must be a duration",
            "'[header]\nx-key = \"s3cret\\u000a\"' | hosts.toml:2: x-key is no HTTP header, or has a control",
            "'[host.\"https://a\"]\nskip_verify = true\n[host.\"https://a/x\"]' | host a stands here twice"})
    void aMalformedFileIsRefusedByNameAndLineAndNotQuoted(String text, String message) throws IOException {
        write("quay.io", text);
        assertThat(catchThrowable(() -> endpoints("quay.io/app")))
                .hasMessageContaining(message).hasMessageContaining("quay.io/hosts.toml")
                .hasMessageNotContaining("s3cret");
        fails(() -> endpoints("quay.io/app"), Kind.INVALID, message);
    }

    private void write(String registry, String text) throws IOException {
        Files.writeString(Files.createDirectories(directory.resolve(registry)).resolve("hosts.toml"), text);
    }

    private List<Endpoint> endpoints(String reference) throws IOException {
        ImageReference parsed = ImageReference.parse(reference);
        HostsToml hosts = HostsToml.read(List.of(directory), parsed.registry());
        assertThat(hosts).isNotNull();
        return hosts == null ? List.of() : hosts.endpoints(parsed);
    }

    private void pull(String reference) throws IOException {
        RegistryClient client = RegistryClient.open(
                options(new RegistryFiles(null, List.of(directory), List.of(), null, null), Map.of()));
        try (Resolved image = client.resolve(reference, RegistryAuth.NONE);
                InputStream layer = image.openBlob(image.layers().getFirst())) {
            assertThat(image.readConfig()).isEqualTo(IMAGE.config());
            assertThat(layer.readAllBytes()).isEqualTo(IMAGE.layer());
        }
    }

    private static String text(Endpoint endpoint) {
        HostAccess access = Objects.requireNonNull(endpoint.access());
        return access.scheme() + "://" + endpoint.apiHost() + access.path() + " " + endpoint.repository()
                + " ns=" + access.namespace();
    }
}
