package io.berth.imagestore.registry;

import static io.berth.imagestore.registry.TestOptions.basic;
import static io.berth.imagestore.registry.TestOptions.fails;
import static io.berth.imagestore.registry.TestOptions.options;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The node's own credentials. */
class AuthFileTest {
    private static final TestImage IMAGE = TestImage.of("amd64", 1000);
    @TempDir
    private Path directory;

    @ParameterizedTest
    @CsvSource({"reg.example:5000, team/app, app", "reg.example:5000, team/app/sub, app",
            "reg.example:5000, team/apple, team", "reg.example:5000, other, host",
            "REG.example:5000, x, host",
            "reg.example, team/app, nobody", "docker.io, library/busybox, hub", "docker.io, mine/x, mine",
            "registry-1.docker.io, library/x, hub", "old.example, a/b, old"})
    void theLongestParentThatHasAnEntryCounts(String host, String repository, String user) throws Exception {
        AuthFile file = read("""
            {"auths": {"reg.example:5000": %s, "reg.example:5000/team": %s, "reg.example:5000/team/app": %s,
             "https://index.docker.io/v1/": %s, "docker.io/mine": %s, "http://old.example/v2/": %s},
             "HttpHeaders": {"User-Agent": "docker"}}"""
                .formatted(entry("host"), entry("team"), entry("app"), entry("hub"), entry("mine"),
                        entry("old")));
        Credentials found = file.credentials(host, repository);
        assertThat(found).isEqualTo(user.equals("nobody")
                ? new Credentials.Anonymous()
                : new Credentials.Basic(user, "pw-" + user));
        assertThat(file.toString() + found).doesNotContain("pw-");
    }

    @Test
    void tokensAreReadAsDockerWritesThem() throws Exception {
        AuthFile file = read("""
            {"auths": {"a": {"auth": "%s", "identitytoken": "refresh"}, "b": {"registrytoken": "bearer"},
             "c": {"username": "u", "password": "p"}, "d": {}}}""".formatted(base64("00000000:")));
        assertThat(file.credentials("a", "x")).isEqualTo(new Credentials.Identity("refresh"));
        assertThat(file.credentials("b", "x")).isEqualTo(new Credentials.Bearer("bearer"));
        assertThat(file.credentials("c", "x")).isEqualTo(new Credentials.Basic("u", "p"));
        assertThat(file.credentials("d", "x")).isEqualTo(new Credentials.Anonymous());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "s3cret", "{\"auths\": {\"a\": {\"auth\": \"s3cret", "[\"s3cret\"]",
            "{\"auths\": [\"s3cret\"]}", "{\"auths\": {\"a\": \"s3cret\"}}", "{} s3cret"})
    void aMalformedFileIsRefusedByNameAndNotQuoted(String text) throws Exception {
        fails(() -> read(text), Kind.INVALID,
                "auth_file " + directory.resolve("config.json") + " is malformed");
        assertThat(catchThrowable(() -> read(text))).hasMessageNotContaining("s3cret");
    }

    @Test
    void aMalformedEntryIsNamedOnUseAndNotQuoted() throws Exception {
        AuthFile file = read("{\"auths\": {\"a\": {\"auth\": \"!s3cret!\"}}}");
        assertThat(catchThrowable(() -> file.credentials("a", "x")))
                .hasMessageContaining("the entry for a in").hasMessageNotContaining("s3cret")
                .hasNoCause();
    }

    @Test
    void aHelperIsAskedAsDockerAsksIt() throws Exception {
        helper("fake", """
            read server
            case "$1 $server" in
              "get reg.example") echo '{"ServerURL":"x","Username":"u-'$server'","Secret":"s3cret"}' ;;
              "get https://index.docker.io/v1/") echo '{"Username":"<token>","Secret":"refresh"}' ;;
              "get broken.example") echo "not json s3cret" ;;
              "get fails.example") echo "s3cret"; exit 2 ;;
              *) echo "credentials not found in native keychain"; exit 1 ;;
            esac
            """);
        AuthFile file = read("""
            {"credHelpers": {"reg.example": "fake", "missing.example": "none", "bad.example": "../x"},
             "auths": {"reg.example": %s, "other.example": %s}, "credsStore": "fake"}"""
                .formatted(entry("no"), entry("other")));
        assertThat(file.credentials("reg.example", "a")).isEqualTo(
                new Credentials.Basic("u-reg.example", "s3cret"));
        assertThat(file.credentials("other.example", "a")).isEqualTo(
                new Credentials.Basic("other", "pw-other"));
        assertThat(file.credentials("docker.io", "library/a")).isEqualTo(new Credentials.Identity("refresh"));
        assertThat(file.credentials("unknown.example", "a")).isEqualTo(new Credentials.Anonymous());
        fails(() -> file.credentials("missing.example", "a"), Kind.INVALID,
                "docker-credential-none is not on the daemon's PATH");
        fails(() -> file.credentials("bad.example", "a"), Kind.INVALID, "a credential helper's name must be");
        for (String host : List.of("broken.example", "fails.example")) {
            assertThat(catchThrowable(() -> file.credentials(host, "a")))
                    .hasMessageContaining("credential helper docker-credential-fake")
                    .hasMessageNotContaining("s3cret");
        }
    }

    @Test
    void theRequestsCredentialsComeFirstAndAMirrorHasItsOwn() throws Exception {
        String challenge = "Basic realm=\"x\"";
        try (FakeRegistry registry = new FakeRegistry().with("team/app", "1", IMAGE);
                FakeRegistry mirror = new FakeRegistry()) {
            Path auth = write("{\"auths\": {\"%s\": %s, \"%s\": %s}}".formatted(registry.host(),
                    entry("node"), mirror.host(), entry("mirror")));
            Path conf = Files.writeString(directory.resolve("registries.conf"), """
                [[registry]]
                location = "%s"
                [[registry.mirror]]
                location = "%s"
                """.formatted(registry.host(), mirror.host()));
            RegistryClient client = RegistryClient.open(
                    options(new RegistryFiles(conf, List.of(), List.of(), auth, null), Map.of()));
            for (RegistryAuth given : List.of(RegistryAuth.NONE, basic("pod", "pw-pod"))) {
                for (FakeRegistry each : List.of(registry, mirror)) {
                    each.answer(FakeRegistry.manifest("team/app", "1"),
                            FakeRegistry.status(401, "WWW-Authenticate", challenge));
                }
                client.resolve(registry.host() + "/team/app:1", given).close();
            }
            assertThat(registry.asked()).extracting(FakeRegistry.Asked::authorization).containsExactly(null,
                    header("node"), null, header("pod"));
            assertThat(mirror.asked()).extracting(FakeRegistry.Asked::authorization).containsExactly(null,
                    header("mirror"), null, header("mirror"));
        }
    }

    @Test
    void aRefusalSaysWhereToLook() throws Exception {
        try (FakeRegistry registry = new FakeRegistry()) {
            for (int i = 0; i < 4; i++) {
                registry.answer(FakeRegistry.manifest("team/app", "1"),
                        FakeRegistry.status(401, "WWW-Authenticate", "Basic realm=\"x\""));
            }
            Path absent = directory.resolve("absent.json");
            fails(() -> client(absent).resolve(registry.host() + "/team/app:1", RegistryAuth.NONE),
                    Kind.UNAUTHORIZED, "add an imagePullSecret for " + registry.host() + ", or an entry to "
                            + absent + ", which does not exist");
            Path file = write("{\"auths\": {\"" + registry.host() + "\": " + entry("node") + "}}");
            fails(() -> client(file).resolve(registry.host() + "/team/app:1", RegistryAuth.NONE),
                    Kind.UNAUTHORIZED, "the credentials of this node's auth_file were refused");
        }
    }

    private static RegistryClient client(Path authFile) throws IOException {
        return RegistryClient.open(
                options(new RegistryFiles(null, List.of(), List.of(), authFile, null), Map.of()));
    }

    private AuthFile read(String text) throws IOException {
        return AuthFile.read(write(text), Map.of("PATH", directory + ":/usr/bin:/bin"));
    }

    private Path write(String text) throws IOException {
        return Files.writeString(directory.resolve("config.json"), text);
    }

    private void helper(String name, String script) throws IOException {
        Path program = Files.writeString(directory.resolve("docker-credential-" + name),
                "#!/bin/sh\n" + script);
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
    }

    private static String entry(String user) {
        return "{\"auth\": \"" + base64(user + ":pw-" + user) + "\"}";
    }

    private static String header(String user) {
        return "Basic " + base64(user + ":pw-" + user);
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
