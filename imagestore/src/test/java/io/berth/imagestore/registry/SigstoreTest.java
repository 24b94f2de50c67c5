package io.berth.imagestore.registry;

import static io.berth.imagestore.registry.TestOptions.fails;
import static io.berth.imagestore.registry.TestOptions.options;
import static org.assertj.core.api.Assertions.assertThat;

import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images whose signatures a policy wants: keys and signatures are real. */
class SigstoreTest {
    private static final TestImage IMAGE = TestImage.of("amd64", 5_000);
    private static final String SIGNATURE_TAG = IMAGE.manifestDigest().replace(':', '-') + ".sig";
    @TempDir
    private Path directory;
    private FakeRegistry registry;

    @BeforeEach
    void start() throws IOException {
        registry = new FakeRegistry().with("team/app", "1", IMAGE);
    }

    @AfterEach
    void stop() {
        registry.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"secp256r1", "secp384r1", "RSA", "Ed25519"})
    void anImageSignedByTheKeyIsPulledAndOneSignedByAnotherIsNot(String algorithm) throws Exception {
        KeyPair key = key(algorithm);
        sign(SIGNATURE_TAG, key, payload(IMAGE.manifestDigest(), name() + ":1"));
        pull(policy(key.getPublic(), ""), ":1");
        fails(() -> pull(policy(key(algorithm).getPublic(), ""), ":1"), Kind.SIGNATURE,
                name() + ":1 may not be pulled: signature policy " + directory.resolve("policy.json")
                        + ", default, wants a sigstore signature",
                "signature 1: it was made by none of the keys");
    }

    @Test
    void keysMayBeInTheirFilesOrInThePolicyAndAnyOfThemWillDo() throws Exception {
        KeyPair mine = key("RSA");
        KeyPair other = key("secp256r1");
        sign(SIGNATURE_TAG, mine, payload(IMAGE.manifestDigest(), name() + ":1"));
        Path file = Files.writeString(directory.resolve("mine.pub"),
                pem("PUBLIC KEY", mine.getPublic().getEncoded()));
        Path second = Files.writeString(directory.resolve("other.pub"),
                pem("PUBLIC KEY", other.getPublic().getEncoded()));
        // PKCS #1 is what is inside of the 24 bytes that say "RSA".
        byte[] encoded = mine.getPublic().getEncoded();
        Path pkcs1 = Files.writeString(directory.resolve("pkcs1.pub"),
                pem("RSA PUBLIC KEY", Arrays.copyOfRange(encoded, 24, encoded.length)));
        String data = Base64.getEncoder().encodeToString(Files.readAllBytes(file));
        for (String source : List.of("\"keyPath\": \"" + file + "\"", "\"keyPath\": \"" + pkcs1 + "\"",
                "\"keyPaths\": [\"" + second + "\", \"" + file + "\"]", "\"keyData\": \"" + data + "\"",
                "\"keyDatas\": [\"" + data + "\"]")) {
            pull(policy("{\"type\": \"sigstoreSigned\", " + source + "}"), ":1");
        }
        fails(() -> pull(policy("{\"type\": \"sigstoreSigned\", \"keyPath\": \"/no/such.pub\"}"), ":1"),
                Kind.INVALID, "cannot read the key /no/such.pub");
        Path bad = Files.writeString(directory.resolve("bad.pub"), "no key");
        fails(() -> pull(policy("{\"type\": \"sigstoreSigned\", \"keyPath\": \"" + bad + "\"}"), ":1"),
                Kind.INVALID, bad + " holds no PEM public key");
    }

    @Test
    void anUnsignedImageIsRejectedAndARejectedOneIsNotEvenAskedFor() throws Exception {
        PublicKey key = key("secp256r1").getPublic();
        fails(() -> pull(policy(key, ""), ":1"), Kind.SIGNATURE,
                "there is none for [" + IMAGE.manifestDigest() + "]");
        assertThat(registry.asked()).extracting(FakeRegistry.Asked::path).contains(
                FakeRegistry.manifest("team/app", SIGNATURE_TAG),
                "/v2/team/app/referrers/" + IMAGE.manifestDigest());
        int asked = registry.asked().size();
        fails(() -> pull(policy("{\"type\": \"reject\"}"), ":1"), Kind.SIGNATURE, "default, rejects it");
        assertThat(registry.asked()).hasSize(asked);
        pull(policy("{\"type\": \"insecureAcceptAnything\"}"), ":1");
    }

    @Test
    void aRegistryThatFailsIsNotAnUnsignedImage() throws Exception {
        PublicKey key = key("secp256r1").getPublic();
        for (int i = 0; i < 4; i++) {
            registry.answer(FakeRegistry.manifest("team/app", SIGNATURE_TAG), FakeRegistry.status(503));
        }
        fails(() -> pull(policy(key, ""), ":1"), Kind.UNAVAILABLE, "503");
    }

    @Test
    void aSignatureOfSomethingElseIsNone() throws Exception {
        KeyPair key = key("secp256r1");
        String good = payload(IMAGE.manifestDigest(), name() + ":1");
        String otherDigest = "sha256:" + "0".repeat(64);
        Map<String, String> payloads = Map.of(payload(otherDigest, name() + ":1"),
                "it is for another manifest",
                payload(IMAGE.manifestDigest(), "evil.example/app:1"),
                "which is not the name that the policy wants",
                payload(IMAGE.manifestDigest(), "not a name"), "no image name",
                good.replace("cosign container", "atomic container"), "its type is",
                good.replace("\"optional\"", "\"extra\":1,\"optional\""), "its payload has",
                good.replace("\"type\"", "\"type\":\"x\",\"type\""), "its payload is malformed",
                good + "{}", "its payload is malformed");
        for (Map.Entry<String, String> each : payloads.entrySet()) {
            sign(SIGNATURE_TAG, key, each.getKey());
            fails(() -> pull(policy(key.getPublic(), ""), ":1"), Kind.SIGNATURE, "signature 1: ",
                    each.getValue());
        }
    }

    @Test
    void aSignatureOfWhatCosignCallsARepositoryNeedsMatchRepository() throws Exception {
        KeyPair key = key("secp256r1");
        sign(SIGNATURE_TAG, key, payload(IMAGE.manifestDigest(), name()));
        fails(() -> pull(policy(key.getPublic(), ""), ":1"), Kind.SIGNATURE, "it is for \"" + name() + "\"");
        pull(policy(key.getPublic(), "\"signedIdentity\": {\"type\": \"matchRepository\"},"), ":1");
        pull(policy(key.getPublic(), ""), "@" + IMAGE.manifestDigest());
    }

    @Test
    void aSignatureOfTheIndexOrOfThePlatformsManifestCounts() throws Exception {
        KeyPair key = key("secp256r1");
        byte[] index = TestImage.index(IMAGE.entry("{\"os\":\"linux\",\"architecture\":\"amd64\"}"));
        registry.document("team/app", "many", index);
        String digest = TestImage.digest(index);
        fails(() -> pull(policy(key.getPublic(), ""), ":many"), Kind.SIGNATURE, digest,
                IMAGE.manifestDigest());
        sign(SIGNATURE_TAG, key, payload(IMAGE.manifestDigest(), name() + ":many"));
        pull(policy(key.getPublic(), ""), ":many");
        sign(SIGNATURE_TAG, key, payload(IMAGE.manifestDigest(), name() + ":1"));
        sign(digest.replace(':', '-') + ".sig", key, payload(digest, name() + ":many"));
        pull(policy(key.getPublic(), ""), ":many");
    }

    @Test
    void everyRequirementMustBeMet() throws Exception {
        KeyPair first = key("secp256r1");
        KeyPair second = key("Ed25519");
        String both = requirement(first.getPublic(), "") + "," + requirement(second.getPublic(), "");
        String payload = payload(IMAGE.manifestDigest(), name() + ":1");
        sign(SIGNATURE_TAG, first, payload);
        fails(() -> pull(policy(both), ":1"), Kind.SIGNATURE, "made by none of the keys");
        sign(SIGNATURE_TAG, payload, signature(first, payload), signature(second, payload));
        pull(policy(both), ":1");
    }

    @Test
    void aSignatureMayBeAReferrer() throws Exception {
        KeyPair key = key("RSA");
        sign("attached", key, payload(IMAGE.manifestDigest(), name() + ":1"));
        byte[] attached = signatureManifest(payload(IMAGE.manifestDigest(), name() + ":1"),
                signature(key, payload(IMAGE.manifestDigest(), name() + ":1")));
        registry.content("/v2/team/app/referrers/" + IMAGE.manifestDigest(), """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
             {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":1,
              "artifactType":"application/vnd.example.sbom"},
             {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%d,
              "artifactType":"application/vnd.dev.cosign.artifact.sig.v1+json"}]}"""
                .formatted("sha256:" + "1".repeat(64), TestImage.digest(attached), attached.length)
                .getBytes(StandardCharsets.UTF_8));
        pull(policy(key.getPublic(), ""), ":1");
    }

    @Test
    void aPayloadWithOtherBytesThanItsDigestIsDamage() throws Exception {
        KeyPair key = key("secp256r1");
        String payload = payload(IMAGE.manifestDigest(), name() + ":1");
        sign(SIGNATURE_TAG, key, payload);
        byte[] other = payload.replace(":1\"", ":2\"").getBytes(StandardCharsets.UTF_8);
        registry.content(
                FakeRegistry.blob("team/app", TestImage.digest(payload.getBytes(StandardCharsets.UTF_8))),
                other);
        fails(() -> pull(policy(key.getPublic(), ""), ":1"), Kind.CORRUPT, "has other content");
    }

    private void pull(Path policy, String suffix) throws IOException {
        RegistryClient client = RegistryClient.open(
                options(new RegistryFiles(null, List.of(), List.of(), null, policy), Map.of()));
        try (Resolved image = client.resolve(name() + suffix, RegistryAuth.NONE)) {
            assertThat(image.readConfig()).isEqualTo(IMAGE.config());
        }
    }

    private String name() {
        return registry.host() + "/team/app";
    }

    private Path policy(PublicKey key, String more) throws IOException {
        return policy(requirement(key, more));
    }

    private Path policy(String requirements) throws IOException {
        return Files.writeString(directory.resolve("policy.json"), "{\"default\": [" + requirements + "]}");
    }

    private static String requirement(PublicKey key, String more) {
        String data = Base64.getEncoder()
                .encodeToString(pem("PUBLIC KEY", key.getEncoded()).getBytes(StandardCharsets.US_ASCII));
        return "{\"type\": \"sigstoreSigned\", " + more + " \"keyData\": \"" + data + "\"}";
    }

    private void sign(String tag, KeyPair key, String payload) throws GeneralSecurityException {
        sign(tag, payload, signature(key, payload));
    }

    /** Stores signatures as cosign does. */
    private void sign(String tag, String payload, String... signatures) {
        byte[] bytes = payload.getBytes(StandardCharsets.UTF_8);
        registry.content(FakeRegistry.blob("team/app", TestImage.digest(bytes)), bytes);
        registry.document("team/app", tag, signatureManifest(payload, signatures));
    }

    private static byte[] signatureManifest(String payload, String... signatures) {
        byte[] bytes = payload.getBytes(StandardCharsets.UTF_8);
        String layers = Stream.of(signatures).map(signature -> """
            {"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"%s","size":%d,
             "annotations":{"dev.cosignproject.cosign/signature":"%s"}}"""
                .formatted(TestImage.digest(bytes), bytes.length, signature))
                .collect(Collectors.joining(","));
        return """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
             "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":2},
             "layers":[%s]}""".formatted(TestImage.digest(new byte[]{'{', '}'}), layers)
                .getBytes(StandardCharsets.UTF_8);
    }

    private static String payload(String digest, String reference) {
        return """
            {"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},\
            "type":"cosign container image signature"},"optional":null}""".formatted(reference, digest);
    }

    private static String signature(KeyPair key, String payload) throws GeneralSecurityException {
        Signature signer = Signature.getInstance(switch (key.getPrivate().getAlgorithm()) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> "Ed25519";
        });
        signer.initSign(key.getPrivate());
        signer.update(payload.getBytes(StandardCharsets.UTF_8));
        return Base64.getEncoder().encodeToString(signer.sign());
    }

    private static KeyPair key(String algorithm) throws GeneralSecurityException {
        boolean curve = algorithm.startsWith("secp");
        KeyPairGenerator generator = KeyPairGenerator.getInstance(curve ? "EC" : algorithm);
        if (curve) {
            generator.initialize(new ECGenParameterSpec(algorithm));
        } else if (algorithm.equals("RSA")) {
            generator.initialize(2048);
        }
        return generator.generateKeyPair();
    }

    private static String pem(String type, byte[] der) {
        return "-----BEGIN " + type + "-----\n" + Base64.getMimeEncoder().encodeToString(der) + "\n-----END "
                + type + "-----\n";
    }
}
