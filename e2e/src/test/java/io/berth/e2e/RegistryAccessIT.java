package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.AuthConfig;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ImageStatusRequest;
import io.berth.cri.v1.PullImageRequest;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.CniNetwork;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Registry;
import io.berth.e2e.node.RegistryUpload;
import io.berth.e2e.node.TlsIdentity;
import io.berth.e2e.node.TokenServer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.testcontainers.lifecycle.Startable;

/** Registries that are guarded, encrypted, mirrored or broken. */
final class RegistryAccessIT {
    private static final String USER = "e2e";
    private static final String PASSWORD = "open sesame";
    /** Of that password, by bcrypt. */
    private static final String HTPASSWD = "e2e:$2b$04$/.CWokSKA4cWe1rKAlWFFeQJn9dj0GHuYEUYX3QLHAyrl/TqUqb.e\n";
    private static final String BASIC = "Basic "
            + Base64.getEncoder().encodeToString((USER + ":" + PASSWORD).getBytes(StandardCharsets.UTF_8));

    private static Path directory;
    private static Registry open;
    private static Registry basic;
    private static TokenServer tokens;
    private static Registry bearer;
    private static Registry encrypted;
    private static Registry untrusted;
    private static BerthDaemon daemon;
    private static Cri cri;

    @BeforeAll
    static void startRegistries() throws IOException {
        directory = Files.createTempDirectory(Node.workspace(), "r");
        open = new Registry(directory.resolve("open"));
        basic = Registry.withBasicAuth(directory.resolve("basic"), HTPASSWD,
                RegistryUpload.Access.authorized(repository -> BASIC));
        tokens = new TokenServer(directory.resolve("tokens"), USER, PASSWORD);
        bearer = Registry.withTokenAuth(directory.resolve("bearer"), tokens,
                RegistryUpload.Access.authorized(repository -> "Bearer " + tokens.token(repository)));
        var identity = new TlsIdentity(directory.resolve("identity"));
        encrypted = Registry.withTls(directory.resolve("encrypted"), identity);
        untrusted = Registry.withTls(directory.resolve("untrusted"),
                new TlsIdentity(directory.resolve("other")));
        Stream.of(open, basic, tokens, bearer, encrypted, untrusted).forEach(Startable::start);
        Path conf = Files.writeString(directory.resolve("registries.conf"),
                Stream.of(open, basic, bearer).map(registry -> insecure(registry.authority()))
                        .collect(Collectors.joining()) + """
                            [[registry]]
                            location = "upstream.example"
                            [[registry.mirror]]
                            location = "localhost:1"
                            insecure = true
                            [[registry.mirror]]
                            location = "%1$s/mirrored"
                            insecure = true
                            [[registry]]
                            location = "blocked.example"
                            blocked = true
                            """.formatted(open.authority()));
        daemon = new BerthDaemon(BerthDaemon.Options
                .in(directory.resolve("d"), new CniNetwork(directory.resolve("cni")), conf)
                .withEnvironment(Map.of("SSL_CERT_FILE", identity.certificate().toString())));
        daemon.start();
        cri = Cri.connect(daemon.socket());
    }

    @AfterAll
    static void stopRegistries() {
        cri.close();
        Stream.of(daemon, untrusted, encrypted, bearer, tokens, basic, open).forEach(Startable::stop);
    }

    @Test
    void nameAndPasswordOpenARegistryWithBasicAuth() {
        String reference = basic.push("guarded", "v1", image("basic"));

        assertThat(pull(reference, credentials(PASSWORD))).isEqualTo(image("basic").id());
    }

    @Test
    void nameAndPasswordMayComeAsTheyAreInADockerConfig() {
        String reference = basic.push("guarded-by-auth", "v1", image("auth"));

        assertThat(
                pull(reference, AuthConfig.newBuilder().setAuth(BASIC.substring("Basic ".length())).build()))
                .isEqualTo(image("auth").id());
    }

    @Test
    void theWrongPasswordIsRefusedAndNeverPrinted() throws IOException {
        String reference = basic.push("refused", "v1", image("refused"));

        assertThatThrownBy(() -> pull(reference, credentials("not the password")))
                .hasMessageContaining("refused").hasMessageNotContaining("not the password");
        assertThatThrownBy(() -> pull(reference, AuthConfig.getDefaultInstance()))
                .hasMessageContaining("refused");
        assertThat(directory.resolve("d/daemon.log")).content().doesNotContain("not the password");
    }

    @Test
    void nameAndPasswordBuyATokenForThisRepositoryAlone() {
        String reference = bearer.push("group/tokens", "v1", image("token"));

        assertThat(pull(reference, credentials(PASSWORD))).isEqualTo(image("token").id());
        assertThat(tokens.requests()).anySatisfy(query -> assertThat(query)
                .contains("scope=").contains("group").contains("pull").doesNotContain("push"));
    }

    @Test
    void aTokenOfTheRequestIsUsedAsItIs() {
        String reference = bearer.push("group/given", "v1", image("given"));

        assertThat(pull(reference,
                AuthConfig.newBuilder().setRegistryToken(tokens.token("group/given")).build()))
                .isEqualTo(image("given").id());
    }

    @Test
    void aRegistryWithATrustedCertificateIsPulledFromOverHttps() {
        String reference = encrypted.push("encrypted", "v1", image("https"));

        assertThat(pull(reference, AuthConfig.getDefaultInstance())).isEqualTo(image("https").id());
    }

    @Test
    void aRegistryWithAnUnknownCertificateIsRefusedWithTheWayOut() {
        String reference = untrusted.push("untrusted", "v1", image("untrusted"));

        assertThatThrownBy(() -> pull(reference, AuthConfig.getDefaultInstance()))
                .hasMessageContaining(untrusted.authority()).hasMessageContaining("certificate");
    }

    @Test
    void aMirrorServesWhatIsNamedByItsUpstreamEvenIfAnotherMirrorIsDown() {
        open.push("mirrored/library/app", "v1", image("mirror"));
        String reference = "upstream.example/library/app:v1";

        assertThat(pull(reference, AuthConfig.getDefaultInstance())).isEqualTo(image("mirror").id());
        assertThat(cri.images().imageStatus(ImageStatusRequest.newBuilder().setImage(
                ImageSpec.newBuilder().setImage(reference)).build()).getImage().getRepoTagsList())
                .containsExactly(reference);
    }

    @Test
    void aBlockedRegistryIsNotAsked() {
        assertThatThrownBy(() -> pull("blocked.example/app:v1", AuthConfig.getDefaultInstance()))
                .hasMessageContaining("blocked");
    }

    private static TestImage image(String name) {
        return TestImage.builder().env("IMAGE=" + name)
                .layer(Layer.builder().file(name, 0644, name).build(Compression.GZIP)).build();
    }

    private static AuthConfig credentials(String password) {
        return AuthConfig.newBuilder().setUsername(USER).setPassword(password).build();
    }

    private static String pull(String reference, AuthConfig auth) {
        return cri.images().pullImage(PullImageRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(reference)).setAuth(auth).build()).getImageRef();
    }

    private static String insecure(String authority) {
        return "[[registry]]%nlocation = \"%s\"%ninsecure = true%n".formatted(authority);
    }
}
