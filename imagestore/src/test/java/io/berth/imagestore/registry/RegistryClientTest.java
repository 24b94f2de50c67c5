package io.berth.imagestore.registry;

import static io.berth.imagestore.registry.TestOptions.client;
import static io.berth.imagestore.registry.TestOptions.fails;
import static org.assertj.core.api.Assertions.assertThat;

import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.io.InputStream;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a real docker-registry over plain http on loopback. */
class RegistryClientTest {
    private static final TestImage IMAGE = TestImage.of("amd64", 300_000);
    private static final TestImage OTHER = TestImage.of("s390x", 1000);
    @TempDir
    static Path directory;
    private static TestRegistry registry;

    @BeforeAll
    static void push() throws Exception {
        registry = TestRegistry.start(directory);
        IMAGE.push(registry.host(), "team/app", "1");
        IMAGE.asDocker().push(registry.host(), "team/app", "docker");
        OTHER.push(registry.host(), "team/app", "s390x");
        TestImage.pushDocument(registry.host(), "team/app", "index",
                TestImage.index(OTHER.entry("{\"os\":\"linux\",\"architecture\":\"s390x\"}"),
                        IMAGE.entry("{\"os\":\"linux\",\"architecture\":\"amd64\"}")));
        TestImage.pushDocument(registry.host(), "team/app", "elsewhere",
                TestImage.index(OTHER.entry("{\"os\":\"linux\",\"architecture\":\"s390x\"}")));
    }

    @AfterAll
    static void stop() {
        registry.close();
    }

    @Test
    void resolvesATagAndStreamsItsBlobs() throws Exception {
        try (Resolved image = client().resolve(name(":1"), RegistryAuth.NONE)) {
            assertThat(image.reference().canonical()).isEqualTo(name(":1"));
            assertThat(image.digest()).isEqualTo(IMAGE.manifestDigest()).isEqualTo(image.manifestDigest());
            assertThat(image.manifest()).isEqualTo(IMAGE.manifest());
            assertThat(image.manifestMediaType()).isEqualTo("application/vnd.oci.image.manifest.v1+json");
            assertThat(image.readConfig()).isEqualTo(IMAGE.config());
            assertThat(image.layers()).hasSize(1);
            try (InputStream blob = image.openBlob(image.layers().getFirst())) {
                assertThat(blob.readAllBytes()).isEqualTo(IMAGE.layer());
            }
        }
    }

    @Test
    void resolvesADigestAndLetsItDecideOverTheTag() throws Exception {
        String both = name(":no-such-tag@" + IMAGE.manifestDigest());
        try (Resolved image = client().resolve(both, RegistryAuth.NONE)) {
            assertThat(image.manifestDigest()).isEqualTo(IMAGE.manifestDigest());
            assertThat(image.reference().tag()).isEqualTo("no-such-tag");
        }
    }

    @Test
    void choosesThisPlatformOfAnIndexAndKeepsTheIndexDigest() throws Exception {
        try (Resolved image = client().resolve(name(":index"), RegistryAuth.NONE)) {
            assertThat(image.manifestDigest()).isEqualTo(IMAGE.manifestDigest());
            assertThat(image.digest()).isNotEqualTo(image.manifestDigest()).startsWith("sha256:");
            assertThat(image.readConfig()).isEqualTo(IMAGE.config());
        }
    }

    @Test
    void resolvesDockersSchema2() throws Exception {
        try (Resolved image = client().resolve(name(":docker"), RegistryAuth.NONE)) {
            assertThat(image.manifestMediaType())
                    .isEqualTo("application/vnd.docker.distribution.manifest.v2+json");
            assertThat(image.layers().getFirst().mediaType())
                    .isEqualTo("application/vnd.docker.image.rootfs.diff.tar");
        }
    }

    @Test
    void saysWhichPlatformsThereAreWhereThisOneIsMissing() {
        fails(() -> client().resolve(name(":elsewhere"), RegistryAuth.NONE), Kind.UNSUPPORTED,
                "has no image for linux/amd64; it has linux/s390x");
    }

    @Test
    void refusesAnImageOfAnotherPlatformThatNoIndexNames() throws Exception {
        try (Resolved image = client().resolve(name(":s390x"), RegistryAuth.NONE)) {
            fails(image::readConfig, Kind.UNSUPPORTED, "is built for linux/s390x, this node is linux/amd64");
        }
    }

    @Test
    void namesTheMissingTagRepositoryAndBlob() throws Exception {
        fails(() -> client().resolve(name(":2"), RegistryAuth.NONE), Kind.NOT_FOUND,
                "cannot resolve " + name(":2"), "answers 404 for manifest 2 of team/app (MANIFEST_UNKNOWN",
                "check the name, the tag");
        fails(() -> client().resolve(registry.host() + "/no/such", RegistryAuth.NONE), Kind.NOT_FOUND,
                "404 for manifest latest of no/such");
        try (Resolved image = client().resolve(name(":1"), RegistryAuth.NONE)) {
            Descriptor layer = image.layers().getFirst();
            String absent = "sha256:" + "0".repeat(64);
            fails(() -> image.openBlob(
                    new Descriptor(layer.mediaType(), absent, layer.size(), layer.urls(),
                            layer.annotations())),
                    Kind.NOT_FOUND, "404 for blob " + absent);
        }
    }

    @Test
    void namesTheHostAndPortThatCannotBeReached() throws Exception {
        int free;
        try (ServerSocket socket = new ServerSocket(0)) {
            free = socket.getLocalPort();
        }
        fails(() -> client().resolve("127.0.0.1:" + free + "/app", RegistryAuth.NONE), Kind.UNAVAILABLE,
                "cannot connect to 127.0.0.1:" + free + ": Connection refused");
        fails(() -> client().resolve("no-such-host.invalid/app", RegistryAuth.NONE), Kind.UNAVAILABLE,
                "cannot find the host of no-such-host.invalid");
    }

    @Test
    void fallsBackFromMirrorsToTheRegistryAndNamesEveryEndpointThatFailed() throws Exception {
        Path conf = directory.resolve("mirrors.conf");
        Files.writeString(conf, """
            [[registry]]
            prefix = "example.test/hub"
            location = "%1$s/team"
            [[registry.mirror]]
            location = "%1$s/empty"
            [[registry.mirror]]
            location = "no-such-host.invalid/x"
            """.formatted(registry.host()));
        try (Resolved image = client(conf, null).resolve("example.test/hub/app:1", RegistryAuth.NONE)) {
            assertThat(image.reference().canonical()).isEqualTo("example.test/hub/app:1");
            assertThat(image.readConfig()).isEqualTo(IMAGE.config());
        }
        fails(() -> client(conf, null).resolve("example.test/hub/app:2", RegistryAuth.NONE), Kind.NOT_FOUND,
                "at any of 3 endpoints", registry.host() + " (mirror): ", "404 for manifest 2 of empty/app",
                "no-such-host.invalid (mirror): cannot find the host",
                registry.host() + " (registry): ", "404 for manifest 2 of team/app");
    }

    private static String name(String suffix) {
        return registry.host() + "/team/app" + suffix;
    }
}
