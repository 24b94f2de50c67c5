package io.berth.imagestore.registry;

import static io.berth.imagestore.registry.FakeRegistry.blob;
import static io.berth.imagestore.registry.FakeRegistry.json;
import static io.berth.imagestore.registry.FakeRegistry.manifest;
import static io.berth.imagestore.registry.FakeRegistry.status;
import static io.berth.imagestore.registry.TestOptions.basic;
import static io.berth.imagestore.registry.TestOptions.client;
import static io.berth.imagestore.registry.TestOptions.fails;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.sun.net.httpserver.HttpHandler;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** Who gets which credentials, and who does not. */
class RegistryAuthTest {
    private static final String USER = "robot";
    private static final String PASSWORD = "s3cret-pass";
    private static final String BASIC = "Basic "
            + Base64.getEncoder().encodeToString((USER + ":" + PASSWORD).getBytes(StandardCharsets.UTF_8));
    private static final TestImage IMAGE = TestImage.of("amd64", 20_000);
    private static final String MANIFEST = manifest("team/app", "1");
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

    @Test
    void basicAuthOpensARealRegistryAndItsAbsenceOrErrorSaysWhatToDo() throws Exception {
        try (TestRegistry open = TestRegistry.start(directory)) {
            IMAGE.push(open.host(), "team/app", "1");
        }
        // bcrypt of PASSWORD
        Path htpasswd = Files.writeString(directory.resolve("htpasswd"),
                USER + ":$2b$04$jcgCjsHratZhNHvkk7JULemWuUfRDtcVMD9z8PRbJExyHgIJ1yiHy\n");
        try (TestRegistry real = TestRegistry.start(directory, "",
                "auth: {htpasswd: {realm: berth-test, path: " + htpasswd + "}}")) {
            String name = real.host() + "/team/app:1";
            try (Resolved image = client().resolve(name, basic(USER, PASSWORD));
                    InputStream layer = image.openBlob(image.layers().getFirst())) {
                assertThat(layer.readAllBytes()).isEqualTo(IMAGE.layer());
            }
            client().resolve(name, new RegistryAuth("", "", BASIC.substring("Basic ".length()), "", "", ""))
                    .close();
            fails(() -> client().resolve(name, RegistryAuth.NONE), Kind.UNAUTHORIZED,
                    "answers 401 for manifest 1 of team/app (UNAUTHORIZED", "the pull has no credentials",
                    "add an imagePullSecret for " + real.host());
            fails(() -> client().resolve(name, basic(USER, "wrong")), Kind.UNAUTHORIZED,
                    "the pull's credentials were refused", "check the imagePullSecret for " + real.host());
        }
    }

    @Test
    void aTokenIsFetchedWithTheCredentialsAndKeptForThemAlone() throws Exception {
        RegistryClient client = client();
        registry.answer(MANIFEST, challenge()).answer("/token",
                json(200, "{\"token\":\"tok-1\",\"expires_in\":300}"));
        client.resolve(name(), basic(USER, PASSWORD)).close();
        assertThat(registry.asked()).extracting(FakeRegistry.Asked::authorization).containsExactly(null,
                BASIC,
                "Bearer tok-1");
        assertThat(registry.asked().get(1).query())
                .isEqualTo("service=the service&scope=repository:team/app:pull&account=robot");

        registry.answer(MANIFEST, challenge());
        client.resolve(name(), basic(USER, PASSWORD)).close();
        assertThat(registry.asked()).filteredOn(asked -> asked.path().equals("/token")).hasSize(1);

        registry.answer(MANIFEST, challenge()).answer("/token", json(200, "{\"access_token\":\"tok-2\"}"));
        client.resolve(name(), basic("other", "pass")).close();
        assertThat(registry.asked().getLast().authorization()).isEqualTo("Bearer tok-2");
    }

    @Test
    void aTokenThatTheRegistryNoLongerTakesIsFetchedAnew() throws Exception {
        String path = blob("team/app", TestImage.digest(IMAGE.layer()));
        registry.answer(MANIFEST, challenge()).answer("/token", json(200, "{\"token\":\"tok-1\"}"))
                .answer(path, challenge()).answer("/token", json(200, "{\"token\":\"tok-2\"}"));
        try (Resolved image = client().resolve(name(), RegistryAuth.NONE);
                InputStream layer = image.openBlob(image.layers().getFirst())) {
            assertThat(layer.readAllBytes()).isEqualTo(IMAGE.layer());
        }
        assertThat(registry.asked().getLast().authorization()).isEqualTo("Bearer tok-2");
    }

    @Test
    void anIdentityTokenIsPostedToTheTokenServiceAndARegistryTokenIsSentAsItIs() throws Exception {
        registry.answer(MANIFEST, challenge()).answer("/token", json(200, "{\"access_token\":\"tok-3\"}"));
        client().resolve(name(), new RegistryAuth("", "", "", "", "refresh-me", "")).close();
        assertThat(registry.asked().get(1).body()).contains("grant_type=refresh_token",
                "refresh_token=refresh-me", "scope=repository%3Ateam%2Fapp%3Apull", "service=the%20service");
        assertThat(registry.asked().getLast().authorization()).isEqualTo("Bearer tok-3");

        client().resolve(name(), new RegistryAuth("", "", "", "", "", "as-it-is")).close();
        assertThat(registry.asked().getLast().authorization()).isEqualTo("Bearer as-it-is");
    }

    @Test
    void aRefusingTokenServiceIsNamed() {
        registry.answer(MANIFEST, challenge()).answer("/token", json(401, "{}"));
        fails(() -> client().resolve(name(), basic(USER, PASSWORD)), Kind.UNAUTHORIZED,
                "token service http://" + registry.host()
                        + "/token gives no token for repository:team/app:pull"
                        + " (status 401): it refuses the credentials of this pull");
        registry.answer(MANIFEST, challenge()).answer("/token", json(403, "{}"));
        fails(() -> client().resolve(name(), RegistryAuth.NONE), Kind.UNAUTHORIZED,
                "the image is private or absent, and the pull has no credentials");
        registry.answer(MANIFEST, status(401, "WWW-Authenticate", "Bearer realm=\"ftp://x/\""));
        fails(() -> client().resolve(name(), basic(USER, PASSWORD)), Kind.UNAVAILABLE,
                "names the token service \"ftp://x/\"", "credentials are not sent there");
    }

    @Test
    void deniedIsNotAskedAgain() {
        registry.answer(MANIFEST,
                json(403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"not yours\"}]}"));
        fails(() -> client().resolve(name(), basic(USER, PASSWORD)), Kind.UNAUTHORIZED,
                "answers 403 for manifest 1 of team/app (DENIED not yours)");
        assertThat(registry.asked()).hasSize(1);
    }

    @Test
    void credentialsForAnotherServerStayHere() {
        registry.answer(MANIFEST, status(401, "WWW-Authenticate", "Basic realm=\"x\""));
        fails(() -> client().resolve(name(),
                new RegistryAuth(USER, PASSWORD, "", "https://quay.io/v2/", "", "")), Kind.UNAUTHORIZED,
                "the pull's credentials are for quay.io and were not sent to " + registry.host());
        assertThat(registry.asked()).extracting(FakeRegistry.Asked::authorization).containsOnlyNulls();
    }

    @Test
    void credentialsOfTheRegistryAreNotSentToItsMirror() throws Exception {
        try (FakeRegistry mirror = new FakeRegistry()) {
            mirror.answer(MANIFEST, status(401, "WWW-Authenticate", "Basic realm=\"x\""));
            registry.answer(MANIFEST, status(401, "WWW-Authenticate", "Basic realm=\"x\""));
            Path conf = Files.writeString(directory.resolve("registries.conf"), """
                [[registry]]
                location = "%s"
                [[registry.mirror]]
                location = "%s"
                """.formatted(registry.host(), mirror.host()));
            client(conf, null).resolve(name(), basic(USER, PASSWORD)).close();
            assertThat(mirror.asked()).extracting(FakeRegistry.Asked::authorization).containsOnlyNulls();
            assertThat(registry.asked().getLast().authorization()).isEqualTo(BASIC);
        }
    }

    @Test
    void redirectsToOtherServersCarryNoCredentials() throws Exception {
        String path = blob("team/app", TestImage.digest(IMAGE.layer()));
        try (FakeRegistry cdn = new FakeRegistry().with("team/app", "1", IMAGE)) {
            registry.answer(MANIFEST, status(401, "WWW-Authenticate", "Basic realm=\"x\"")).answer(path,
                    status(307, "Location", "http://" + cdn.host() + path + "?signature=abc"));
            try (Resolved image = client().resolve(name(), basic(USER, PASSWORD));
                    InputStream layer = image.openBlob(image.layers().getFirst())) {
                assertThat(layer.readAllBytes()).isEqualTo(IMAGE.layer());
            }
            assertThat(cdn.asked()).singleElement().satisfies(asked -> {
                assertThat(asked.authorization()).isNull();
                assertThat(asked.query()).isEqualTo("signature=abc");
            });
            assertThat(registry.asked().getLast().authorization()).isEqualTo(BASIC);
        }
    }

    @Test
    void anExpiredSignatureBehindARedirectIsAskedForAnew() throws Exception {
        String path = blob("team/app", TestImage.digest(IMAGE.layer()));
        try (FakeRegistry cdn = new FakeRegistry().with("team/app", "1", IMAGE)) {
            cdn.answer(path, status(403));
            registry.answer(path, status(302, "Location", "http://" + cdn.host() + path + "?signature=old"))
                    .answer(path, status(302, "Location", "http://" + cdn.host() + path + "?signature=new"));
            try (Resolved image = client().resolve(name(), RegistryAuth.NONE);
                    InputStream layer = image.openBlob(image.layers().getFirst())) {
                assertThat(layer.readAllBytes()).isEqualTo(IMAGE.layer());
            }
            assertThat(cdn.asked()).extracting(FakeRegistry.Asked::query).containsExactly("signature=old",
                    "signature=new");
        }
    }

    @Test
    void noSecretIsInALogOrAnErrorAtAnyLevel() throws Exception {
        Logger root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        Level before = root.getLevel();
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        log.start();
        root.addAppender(log);
        root.setLevel(Level.TRACE);
        StringWriter text = new StringWriter();
        try {
            registry.answer(MANIFEST, challenge()).answer("/token", json(200, "{\"token\":\"tok-secret\"}"));
            client().resolve(name(), basic(USER, PASSWORD)).close();
            client().resolve(name(), new RegistryAuth("", "", "", "", "", "tok-plain")).close();
            registry.answer(MANIFEST, challenge()).answer("/token", json(200, "tok-garbage"));
            for (RegistryAuth auth : List.of(basic(USER, PASSWORD),
                    new RegistryAuth("", "", "!" + PASSWORD, "", "",
                            ""),
                    new RegistryAuth("", "", "", "", "refresh-secret", ""))) {
                registry.answer(MANIFEST, status(401, "WWW-Authenticate", "Basic realm=\"x\"")).answer(
                        MANIFEST,
                        status(401));
                Throwable failure = catchThrowable(() -> client().resolve(name(), auth));
                assertThat(failure).isInstanceOf(ImageException.class);
                failure.printStackTrace(new PrintWriter(text, true));
                text.append(auth.toString()).append(String.valueOf(auth.equals(RegistryAuth.NONE)));
            }
        } finally {
            root.setLevel(before);
            root.detachAppender(log);
        }
        assertThat(log.list).isNotEmpty();
        log.list.forEach(event -> text.append(event.getFormattedMessage()).append(' ')
                .append(String.valueOf(event.getKeyValuePairs())).append('\n'));
        assertThat(text.toString()).doesNotContain(PASSWORD, BASIC.substring("Basic ".length()), "tok-secret",
                "tok-plain", "tok-garbage", "refresh-secret");
    }

    private HttpHandler challenge() {
        return status(401, "WWW-Authenticate",
                "Bearer scope=\"repository:team/app:pull\", service=\"the service\",realm=\"http://"
                        + registry.host()
                        + "/token\"");
    }

    private String name() {
        return registry.host() + "/team/app:1";
    }
}
