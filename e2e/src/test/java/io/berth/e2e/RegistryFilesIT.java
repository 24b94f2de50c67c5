package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.AuthConfig;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ImageStatusRequest;
import io.berth.cri.v1.ImageStatusResponse;
import io.berth.cri.v1.PullImageRequest;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.image.Blob;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.BerthDaemon;
import io.berth.e2e.node.CniNetwork;
import io.berth.e2e.node.Node;
import io.berth.e2e.node.Registry;
import io.berth.e2e.node.RegistryUpload;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.testcontainers.lifecycle.Startable;

/** The files in which an operator says how registries are used: hosts.toml, an auth file, a signature policy. */
final class RegistryFilesIT {
    private static final String USER = "e2e";
    private static final String PASSWORD = "open sesame";
    /** Of that password, by bcrypt. */
    private static final String HTPASSWD = "e2e:$2b$04$/.CWokSKA4cWe1rKAlWFFeQJn9dj0GHuYEUYX3QLHAyrl/TqUqb.e\n";
    private static final String ACCEPT = "{\"default\": [{\"type\": \"insecureAcceptAnything\"}]}";
    private static final ObjectMapper JSON = new ObjectMapper();

    private static Path directory;
    private static Registry open;
    private static Registry basic;
    private static BerthDaemon daemon;
    private static Cri cri;

    @BeforeAll
    static void startRegistries() throws IOException {
        directory = Files.createTempDirectory(Node.workspace(), "rf");
        open = new Registry(directory.resolve("open"));
        basic = Registry.withBasicAuth(directory.resolve("basic"), HTPASSWD,
                RegistryUpload.Access.authorized(repository -> "Basic " + base64(USER + ":" + PASSWORD)));
        Stream.of(open, basic).forEach(Startable::start);
        Path conf = Files.writeString(directory.resolve("registries.conf"), "");
        Files.writeString(policy(), ACCEPT);
        daemon = new BerthDaemon(BerthDaemon.Options
                .in(directory.resolve("d"), new CniNetwork(directory.resolve("cni")), conf)
                .withSettings(List.of("registry.hosts_dirs = [\"" + directory.resolve("certs.d") + "\"]",
                        "registry.auth_file = \"" + authFile() + "\"",
                        "registry.signature_policy = \"" + policy() + "\"", "log.level = \"trace\"")));
        daemon.start();
        cri = Cri.connect(daemon.socket());
    }

    @AfterAll
    static void stopRegistries() {
        cri.close();
        Stream.of(daemon, basic, open).forEach(Startable::stop);
    }

    @BeforeEach
    void forget() throws IOException {
        Files.deleteIfExists(authFile());
        Files.writeString(policy(), ACCEPT);
    }

    @Test
    void aNodeThatWasMovedFromContainerdPullsThroughItsMirror() throws IOException {
        open.push("moved/library/app", "v1", image("moved"));
        Files.writeString(Files.createDirectories(directory.resolve("certs.d/upstream.example"))
                .resolve("hosts.toml"), """
                    server = "https://upstream.example"
                    [host."http://localhost:1"]
                    [host."http://%s/v2/moved"]
                      capabilities = ["pull", "resolve"]
                      override_path = true
                    """.formatted(open.authority()));

        String reference = "upstream.example/library/app:v1";
        assertThat(pull(reference, AuthConfig.getDefaultInstance())).isEqualTo(image("moved").id());
        assertThat(status(reference, false).getImage().getRepoTagsList()).containsExactly(reference);
    }

    @Test
    void theNodesCredentialsOpenARegistryForPullsThatBringNone() throws IOException {
        String reference = basic.push("node/app", "v1", image("node"));
        assertThatThrownBy(() -> pull(reference, AuthConfig.getDefaultInstance()))
                .hasMessageStartingWith("UNAUTHENTICATED")
                .hasMessageContaining(authFile() + ", which does not exist");
        Files.writeString(authFile(), """
            {"auths": {"%1$s": {"auth": "bm90OnRoaXM="}, "%1$s/node": {"auth": "%2$s"}}}"""
                .formatted(basic.authority(), base64(USER + ":" + PASSWORD)));

        assertThat(pull(reference, AuthConfig.getDefaultInstance())).isEqualTo(image("node").id());
    }

    @Test
    void noCredentialIsLeftInTheLogTheErrorsOrOnTheDisk() throws IOException {
        String reference = basic.push("leak/app", "v1", image("leak"));
        List<AuthConfig> credentials = List.of(
                AuthConfig.newBuilder().setUsername("leak-user").setPassword("leak-pw-1").build(),
                AuthConfig.newBuilder().setAuth(base64("leak-user:leak-pw-2")).build(),
                AuthConfig.newBuilder().setAuth("!leak-pw-3!").build(),
                AuthConfig.newBuilder().setIdentityToken("leak-identity").build(),
                AuthConfig.newBuilder().setRegistryToken("leak-registry-token").build());
        StringBuilder told = new StringBuilder();
        for (AuthConfig each : credentials) {
            try {
                pull(reference, each);
                throw new AssertionError("pulled with " + each);
            } catch (StatusRuntimeException e) {
                told.append(e).append(e.getTrailers()).append('\n');
            }
        }
        Files.writeString(authFile(), "{\"auths\": {\"" + basic.authority() + "\": {\"auth\": \""
                + base64("leak-user:leak-pw-4") + "\"}}}");
        assertThatThrownBy(() -> pull(reference, AuthConfig.getDefaultInstance()))
                .hasMessageContaining("auth_file").satisfies(e -> {
                    told.append(e);
                });
        Files.writeString(authFile(), "{\"auths\": leak-pw-5}");
        assertThatThrownBy(() -> pull(reference, AuthConfig.getDefaultInstance()))
                .hasMessageContaining("malformed").satisfies(e -> {
                    told.append(e);
                });

        List<String> secrets = Stream.concat(
                Stream.of("leak-identity", "leak-registry-token", "!leak-pw-3!", base64("!leak-pw-3!")),
                Stream.of("1", "2", "3", "4", "5").flatMap(number -> Stream.of("leak-pw-" + number,
                        base64("leak-user:leak-pw-" + number))))
                .toList();
        // gRPC's own frame log is in hex.
        secrets = Stream.concat(secrets.stream(), secrets.stream()
                .map(secret -> HexFormat.of().formatHex(secret.getBytes(StandardCharsets.UTF_8)))).toList();
        assertThat(told.toString()).doesNotContain(secrets);
        try (Stream<Path> files = Files.walk(directory.resolve("d"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertThat(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1)).as("%s", file)
                        .doesNotContain(secrets);
            }
        }
        assertThat(directory.resolve("d/daemon.log")).content().contains("leak/app");
    }

    @Test
    void anImageIsPulledOnlyWithTheSignatureThatThePolicyWants() throws Exception {
        KeyPair key = keyPair();
        TestImage image = image("signed");
        String reference = open.push("signed/app", "v1", image);
        wantSignature("signed/app", key);

        StatusRuntimeException refused = refused(reference);
        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.UNKNOWN);
        assertThat(refused.getStatus().getDescription()).startsWith("SignatureValidationFailed: " + reference)
                .contains(policy().toString(), "there is none for [" + image.manifest().digest() + "]");
        assertThat(status(reference, false).hasImage()).isFalse();

        sign(reference, image, keyPair());
        assertThat(refused(reference)).hasMessageContaining("made by none of the keys");
        sign(reference, image, key);
        assertThat(pull(reference, AuthConfig.getDefaultInstance())).isEqualTo(image.id());
        // What is here is held to the policy again, when it is pulled again.
        wantSignature("signed/app", keyPair());
        assertThat(refused(reference)).hasMessageContaining("SignatureValidationFailed");
    }

    @Test
    void aRejectedScopeIsRefusedAndTheRestIsNot() throws IOException {
        String rejected = open.push("rejected/app", "v1", image("rejected"));
        String other = open.push("other/app", "v1", image("other"));
        Files.writeString(policy(), """
            {"default": [{"type": "insecureAcceptAnything"}],
             "transports": {"docker": {"%s/rejected": [{"type": "reject"}]}}}""".formatted(open.authority()));

        assertThat(refused(rejected).getStatus().getDescription()).startsWith("SignatureValidationFailed: ")
                .contains("rejects it");
        assertThat(pull(other, AuthConfig.getDefaultInstance())).isEqualTo(image("other").id());
    }

    @Test
    void aRegistryThatIsAwayIsSaidAsKubeletReadsIt() {
        StatusRuntimeException away = refused("localhost:1/some/app:v1");
        assertThat(away.getStatus().getCode()).isEqualTo(Status.Code.UNKNOWN);
        assertThat(away.getStatus().getDescription()).startsWith("RegistryUnavailable: ");
    }

    @Test
    void aVerboseStatusShowsConfigChainAndAnnotations() throws IOException {
        TestImage built = TestImage.builder().env("IMAGE=verbose")
                .layer(Layer.builder().file("one", 0644, "1").build(Compression.GZIP))
                .layer(Layer.builder().file("two", 0644, "2").build(Compression.GZIP)).build();
        ObjectNode manifest = (ObjectNode) JSON.readTree(built.manifest().bytes());
        manifest.putObject("annotations").put("org.example.team", "berth");
        TestImage image = new TestImage(built.mediaType(), new Blob(JSON.writeValueAsBytes(manifest)),
                built.config(), built.layers(), built.architecture());
        String reference = open.push("verbose/app", "v1", image);
        pull(reference, AuthConfig.getDefaultInstance());

        ImageStatusResponse status = status(reference, true);
        JsonNode info = JSON.readTree(status.getInfoMap().get("info"));
        List<String> diffIds = image.layers().stream().map(Layer::diffId).toList();
        assertThat(info.path("chainID").asText())
                .isEqualTo(new Blob(String.join(" ", diffIds).getBytes(StandardCharsets.UTF_8)).digest());
        assertThat(info.path("imageSpec").path("config").path("Env").toString()).contains("IMAGE=verbose");
        assertThat(status.getImage().getSpec().getAnnotationsMap())
                .isEqualTo(Map.of("org.example.team", "berth"));
        assertThat(status(reference, false).getInfoMap()).isEmpty();
    }

    private static Path authFile() {
        return directory.resolve("auth.json");
    }

    private static Path policy() {
        return directory.resolve("policy.json");
    }

    private static void wantSignature(String repository, KeyPair key) throws IOException {
        String pem = "-----BEGIN PUBLIC KEY-----\n"
                + Base64.getMimeEncoder().encodeToString(key.getPublic().getEncoded())
                + "\n-----END PUBLIC KEY-----\n";
        Path file = Files.writeString(directory.resolve("cosign.pub"), pem);
        Files.writeString(policy(), """
            {"default": [{"type": "reject"}], "transports": {"docker": {"%s/%s": [{"type": "sigstoreSigned",
             "keyPath": "%s", "signedIdentity": {"type": "matchRepository"}}]}}}"""
                .formatted(open.authority(), repository, file));
    }

    /** Pushes a signature as cosign does. */
    private static void sign(String reference, TestImage image, KeyPair key) throws GeneralSecurityException {
        String repository = reference.substring(reference.indexOf('/') + 1, reference.lastIndexOf(':'));
        var payload = new Blob("""
            {"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},\
            "type":"cosign container image signature"},"optional":null}"""
                .formatted(reference.substring(0, reference.lastIndexOf(':')), image.manifest().digest())
                .getBytes(StandardCharsets.UTF_8));
        Signature signer = Signature.getInstance("SHA256withECDSA");
        signer.initSign(key.getPrivate());
        signer.update(payload.bytes());
        var config = new Blob(new byte[]{'{', '}'});
        var manifest = new Blob(
                """
                    {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
                     "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},
                     "layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"%s","size":%d,
                      "annotations":{"dev.cosignproject.cosign/signature":"%s"}}]}"""
                        .formatted(config.digest(), config.size(), payload.digest(), payload.size(),
                                Base64.getEncoder().encodeToString(signer.sign()))
                        .getBytes(StandardCharsets.UTF_8));
        open.push(repository, image.manifest().digest().replace(':', '-') + ".sig",
                new TestImage("application/vnd.oci.image.manifest.v1+json", manifest, config,
                        List.of(new Layer(payload, Compression.NONE, payload.digest())), "amd64"));
    }

    private static KeyPair keyPair() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        return generator.generateKeyPair();
    }

    private static TestImage image(String name) {
        return TestImage.builder().env("IMAGE=" + name)
                .layer(Layer.builder().file(name, 0644, name).build(Compression.GZIP)).build();
    }

    private static StatusRuntimeException refused(String reference) {
        try {
            pull(reference, AuthConfig.getDefaultInstance());
        } catch (StatusRuntimeException e) {
            return e;
        }
        throw new AssertionError(reference + " was pulled");
    }

    private static String pull(String reference, AuthConfig auth) {
        return cri.images().pullImage(PullImageRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(reference)).setAuth(auth).build()).getImageRef();
    }

    private static ImageStatusResponse status(String reference, boolean verbose) {
        return cri.images().imageStatus(ImageStatusRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(reference)).setVerbose(verbose).build());
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
