package io.berth.imagestore.registry;

import static io.berth.imagestore.registry.TestOptions.fails;
import static org.assertj.core.api.Assertions.assertThat;

import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.registry.SignaturePolicy.Requirement;
import io.berth.imagestore.registry.SignedIdentity.SignedName;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** policy.json: which rule an image falls under, and what a rule may say. */
class SignaturePolicyTest {
    private static final String DIGEST = "sha256:" + "a".repeat(64);
    @TempDir
    private Path directory;

    @ParameterizedTest
    @CsvSource({"reg.example:5000/a/b:1, exact", "reg.example:5000/a/b:2, repository",
            "reg.example:5000/a/c, parent",
            "reg.example:5000/ab, host", "reg.example/a/b, wildcard", "x.y.example:80/z, wildcard",
            "x.y.deep.example/z, narrower", "busybox, library", "docker.io/mine/app, hub",
            "quay.io/x, docker"})
    void theNarrowestScopeCounts(String image, String scope) throws Exception {
        SignaturePolicy policy = parse("""
            {"default": [{"type": "reject"}], "transports": {"docker": {
             "reg.example:5000/a/b:1": %s, "reg.example:5000/a/b": %s, "reg.example:5000/a": %s,
             "reg.example:5000": %s, "*.example": %s, "*.deep.example": %s, "docker.io/library": %s,
             "docker.io": %s, "": %s}, "docker-daemon": {"": [{"type": "insecureAcceptAnything"}]}}}"""
                .formatted(named("exact"), named("repository"), named("parent"), named("host"),
                        named("wildcard"),
                        named("narrower"), named("library"), named("hub"), named("docker")));
        List<Requirement> requirements = policy.rule(ImageReference.parse(image)).requirements();
        assertThat(requirements).singleElement().isInstanceOfSatisfying(Requirement.Sigstore.class,
                sigstore -> assertThat(sigstore.identity())
                        .isEqualTo(new SignedIdentity.ExactRepository("docker.io/test/" + scope)));
    }

    @Test
    void theDefaultHoldsWhereNoScopeDoesAndADigestIsAScopeToo() throws Exception {
        SignaturePolicy policy = parse("""
            {"default": [{"type": "reject"}],
             "transports": {"docker": {"a.example/x@%s": [{"type": "insecureAcceptAnything"}]}}}"""
                .formatted(DIGEST));
        assertThat(policy.rule(ImageReference.parse("a.example/x")).requirements())
                .containsExactly(new Requirement.Reject());
        assertThat(policy.rule(ImageReference.parse("a.example/x:tag@" + DIGEST)).requirements())
                .containsExactly(new Requirement.Accept());
    }

    @Test
    void aNamedPolicyMustExist() {
        fails(() -> SignaturePolicy.read(directory.resolve("absent.json")), Kind.INVALID,
                "cannot read the signature policy", "absent.json", "no image can be pulled");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\'', value = {"'{'|it is not JSON",
            "'{}'|default must be a list of at least one requirement",
            "'{\"default\": []}'|default must be a list",
            "'{\"default\": [], \"default\": []}'|it is not JSON",
            "'{\"default\": [{\"type\": \"reject\"}], \"defualt\": 1}'|the policy has the unknown key \"defualt\"",
            "'{\"default\": [{\"type\": \"reject\", \"key\": 1}]}'|default[0] has the unknown key \"key\"",
            "'{\"default\": [{\"type\": \"accept\"}]}'|default[0] has the type \"accept\"; known are",
            "'{\"default\": [{\"type\": \"reject\"}], \"transports\": {\"docker\": {\"a\": {}}}}'|transports.docker[\"a\"] must be a list",
            "'{\"default\": [{\"type\": \"reject\"}], \"transports\": {\"dir\": {\"/a\": [{\"type\": \"x\"}]}}}'|transports.dir[\"/a\"][0] has the type \"x\"",
            "'{\"default\": [{\"type\": \"sigstoreSigned\"}]}'|it has none",
            "'{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"/a\", \"keyData\": \"YQ==\"}]}'|it has keyPath, keyData",
            "'{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": [\"/a\"]}]}'|keyPath must be a string",
            "'{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPaths\": []}]}'|keyPaths must be a list of at least one",
            "'{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"a\"}]}'|must be absolute",
            "'{\"default\": [{\"type\": \"sigstoreSigned\", \"keyData\": \"!\"}]}'|not base64",
            "'{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"/a\", \"signedIdentity\": {\"type\": \"any\"}}]}'|default[0].signedIdentity has the type \"any\"",
            "'{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"/a\", \"signedIdentity\": {\"type\": \"exactReference\", \"dockerReference\": \"a\"}}]}'|must have a tag or a digest",
            "'{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"/a\", \"signedIdentity\": {\"type\": \"exactRepository\", \"dockerRepository\": \"a:1\"}}]}'|must have no tag",
            "'{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"/a\", \"signedIdentity\": {\"type\": \"remapIdentity\", \"prefix\": \"a\"}}]}'|signedPrefix must be a string"})
    void aMalformedPolicyIsRefusedByNameAndPlace(String text, String message) {
        fails(() -> parse(text), Kind.INVALID, "signature policy ", "policy.json: ", message);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\'', value = {
            "'{\"type\": \"signedBy\", \"keyType\": \"GPGKeys\", \"keyPath\": \"/k\"}'|a GPG signature (signedBy)",
            "'{\"type\": \"sigstoreSigned\", \"fulcio\": {}}'|fulcio certificates",
            "'{\"type\": \"sigstoreSigned\", \"pki\": {}}'|pki certificates",
            "'{\"type\": \"sigstoreSigned\", \"keyPath\": \"/k\", \"rekorPublicKeyPath\": \"/r\"}'|an entry in a Rekor log"})
    void whatBerthCannotVerifyIsRefusedForItsScopeAloneAndNamed(String requirement, String what)
            throws Exception {
        SignaturePolicy policy = parse(
                """
                    {"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker": {"a.example": [%s]}}}"""
                        .formatted(requirement));
        ImageReference other = ImageReference.parse("b.example/x");
        SignatureCheck.refuseAtOnce(policy.rule(other), other);
        ImageReference image = ImageReference.parse("a.example/x");
        fails(() -> SignatureCheck.refuseAtOnce(policy.rule(image), image), Kind.SIGNATURE,
                "a.example/x:latest may not be pulled", "policy.json, scope \"a.example\", wants " + what);
    }

    @ParameterizedTest
    @CsvSource({"matchExact, a.io/x:1, a.io/x:1, true", "matchExact, a.io/x:1, a.io/x:2, false",
            "matchExact, a.io/x, a.io/x, false", "matchExact, a.io/x, a.io/x:latest, true",
            "matchExact, a.io/x:1@DIGEST, a.io/x@DIGEST, true", "matchExact, a.io/x@DIGEST, a.io/x:1, false",
            "matchRepoDigestOrExact, a.io/x:1, a.io/x:1, true",
            "matchRepoDigestOrExact, a.io/x:1, a.io/x, false",
            "matchRepoDigestOrExact, a.io/x@DIGEST, a.io/x:7, true",
            "matchRepoDigestOrExact, a.io/x@DIGEST, a.io/y, false", "matchRepository, a.io/x:1, a.io/x, true",
            "matchRepository, a.io/x:1, a.io/y:1, false", "exactReference, z.io/q, b.io/y:2, true",
            "exactReference, z.io/q, b.io/y:3, false", "exactRepository, z.io/q, b.io/y:3, true",
            "exactRepository, z.io/q, b.io/z, false", "remapIdentity, mirror.io/m/x:1, o.io/x:1, true",
            "remapIdentity, mirror.io/m/x:1, mirror.io/m/x:1, false",
            "remapIdentity, mirror.io/mx:1, o.io/x:1, false",
            "remapIdentity, a.io/x:1, a.io/x:1, true",
            "matchRepository, busybox, docker.io/library/busybox, true"})
    void identitiesMatchAsTheFormatSays(String type, String image, String signed, boolean accepted)
            throws Exception {
        SignedIdentity identity = switch (type) {
            case "matchExact" -> new SignedIdentity.MatchExact();
            case "matchRepoDigestOrExact" -> new SignedIdentity.MatchRepoDigestOrExact();
            case "matchRepository" -> new SignedIdentity.MatchRepository();
            case "exactReference" -> new SignedIdentity.ExactReference(ImageReference.parse("b.io/y:2"));
            case "exactRepository" -> new SignedIdentity.ExactRepository("b.io/y");
            default -> new SignedIdentity.RemapIdentity("mirror.io/m", "o.io");
        };
        assertThat(identity.accepts(ImageReference.parse(image.replace("DIGEST", DIGEST)),
                SignedName.parse(signed.replace("DIGEST", DIGEST)))).isEqualTo(accepted);
    }

    private SignaturePolicy parse(String text) throws IOException {
        return SignaturePolicy.read(Files.writeString(directory.resolve("policy.json"), text,
                StandardCharsets.UTF_8));
    }

    private static String named(String name) {
        return "[{\"type\": \"sigstoreSigned\", \"keyPath\": \"/k\", \"signedIdentity\":"
                + " {\"type\": \"exactRepository\", \"dockerRepository\": \"test/" + name + "\"}}]";
    }
}
