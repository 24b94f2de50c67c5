package io.berth.imagestore.registry;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.metadata.ConfigDocument;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Whatever comes from a registry, an archive or an operator's file either parses or is refused by an
 * {@link ImageException}. A normal build runs the seeds of {@code src/test/resources}; {@code docs/registries.md} says how to
 * fuzz.
 */
class ParserFuzzTest {
    private static final Set<Kind> OF_DOCUMENTS = Set.of(Kind.CORRUPT, Kind.UNSUPPORTED);
    private static final Platform PLATFORM = new Platform("linux", "amd64", "v3");

    @FuzzTest(maxDuration = "5m")
    void references(byte[] data) throws ImageException {
        ImageReference reference;
        try {
            reference = ImageReference.parse(text(data));
        } catch (ImageException e) {
            assertThat(e.kind()).isEqualTo(Kind.INVALID);
            return;
        }
        assertThat(ImageReference.parse(reference.canonical())).isEqualTo(reference);
        assertThat(ImageReference.parse(reference.familiar())).isEqualTo(reference);
        assertThat(SignedIdentity.SignedName.parse(reference.canonical()).reference()).isEqualTo(reference);
        assertThat(HostsToml.names(reference.registry())).doesNotContain("..", ".", "").noneMatch(
                name -> name.indexOf('/') >= 0);
        new Endpoint(reference.registry(), reference.repository(), false).loopback();
    }

    @FuzzTest(maxDuration = "5m")
    void manifests(byte[] data) {
        refusing(OF_DOCUMENTS, () -> {
            ManifestDocument manifest = ManifestDocument.parse(Digest.of("sha256", data), "", data);
            if (manifest.isIndex()) {
                manifest.candidates(PLATFORM)
                        .forEach(entry -> assertThat(entry.descriptor().size()).isNotNegative());
                manifest.offered();
            } else {
                manifest.config();
                manifest.layers().forEach(layer -> assertThat(layer.size()).isNotNegative());
            }
        });
    }

    @FuzzTest(maxDuration = "5m")
    void configs(byte[] data) {
        refusing(OF_DOCUMENTS, () -> {
            ConfigDocument config = ConfigDocument.parse("sha256:fuzz", text(data));
            for (String diffId : config.diffIds()) {
                Digest.parse(diffId);
            }
        });
    }

    @FuzzTest(maxDuration = "5m")
    void registriesConf(byte[] data) {
        refusing(Set.of(Kind.INVALID, Kind.FORBIDDEN), () -> {
            RegistriesConf conf = RegistriesConf.of(TomlFile.parse(Path.of("/fuzz"), text(data)));
            for (String name : List.of("a", "a.test/b/c:1", "x.a.test:5000/b@sha256:" + "0".repeat(64))) {
                ImageReference reference = conf.name(name);
                assertThat(conf.endpoints(reference)).isNotEmpty()
                        .allSatisfy(endpoint -> assertThat(endpoint.repository()).isNotEmpty());
            }
        });
    }

    @FuzzTest(maxDuration = "5m")
    void hostsToml(byte[] data) {
        refusing(Set.of(Kind.INVALID), () -> {
            HostsToml hosts = HostsToml.of(TomlFile.parse(Path.of("/fuzz/hosts.toml"), text(data)));
            assertThat(hosts.endpoints(ImageReference.parse("a.test/b/c:1"))).isNotEmpty();
        });
    }

    @FuzzTest(maxDuration = "5m")
    void policies(byte[] data) {
        refusing(Set.of(Kind.INVALID), () -> {
            SignaturePolicy policy = SignaturePolicy.parse(Path.of("/fuzz"), data);
            assertThat(policy.rule(ImageReference.parse("a.test:1/b/c:1")).requirements()).isNotEmpty();
        });
    }

    @FuzzTest(maxDuration = "5m")
    void authFiles(byte[] data) {
        refusing(Set.of(Kind.INVALID), () -> {
            AuthFile file = AuthFile.parse(Path.of("/fuzz"), data,
                    new CredentialHelper(Map.of("PATH", "/none")));
            file.credentials("a.test", "b/c");
            file.credentials("docker.io", "library/b");
        });
    }

    @FuzzTest(maxDuration = "5m")
    void signatures(byte[] data) {
        try {
            new SigstoreSignature(data, data).verify(List.of(), Digest.of("sha256", data),
                    new ImageReference("a.test", "b", "1", null), new SignedIdentity.MatchRepository());
        } catch (SigstoreSignature.NotAccepted e) {
            assertThat(e).hasMessageContaining("none of the keys");
            return;
        }
        throw new AssertionError("accepted without a key");
    }

    @FuzzTest(maxDuration = "5m")
    void challenges(byte[] data) {
        assertThat(Challenge.parse(List.of(text(data)))).allSatisfy(
                challenge -> assertThat(challenge.scheme()).isNotEmpty());
    }

    @FunctionalInterface
    private interface Parse {
        void run() throws ImageException;
    }

    private static void refusing(Set<Kind> kinds, Parse parse) {
        try {
            parse.run();
        } catch (ImageException e) {
            assertThat(e.kind()).isIn(kinds);
            assertThat(e.getMessage()).isNotBlank();
        }
    }

    private static String text(byte[] data) {
        return new String(data, StandardCharsets.UTF_8);
    }
}
