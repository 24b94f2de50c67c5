package io.berth.imagestore.registry;

import static io.berth.imagestore.registry.TestOptions.basic;
import static io.berth.imagestore.registry.TestOptions.client;
import static io.berth.imagestore.registry.TestOptions.fails;
import static io.berth.imagestore.registry.TestOptions.options;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Signature;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TLS with an authority of the operator's own, and tokens that a real registry verifies. */
class RegistryTlsTest {
    private static final TestImage IMAGE = TestImage.of("amd64", 50_000);
    private static final Base64.Encoder URL_SAFE = Base64.getUrlEncoder().withoutPadding();
    @TempDir
    static Path directory;

    @BeforeAll
    static void makeAuthorityAndCertificates() throws Exception {
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                "/CN=berth test authority",
                "-keyout", "ca.key", "-out", "ca.crt");
        Files.writeString(directory.resolve("san"), "subjectAltName=IP:127.0.0.1\n");
        for (String name : List.of("server", "client")) {
            openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-keyout", name + ".key",
                    "-out",
                    name + ".csr");
            openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                    "-CAcreateserial",
                    "-days", "2", "-extfile", "san", "-out", name + ".crt");
        }
        openssl("rsa", "-traditional", "-in", "client.key", "-out", "client-pkcs1.key");
        try (TestRegistry open = TestRegistry.start(directory)) {
            IMAGE.push(open.host(), "team/app", "1");
        }
    }

    @Test
    void aRegistryOfAnOwnAuthorityIsTrustedOnceItsCertificateIsInstalled() throws Exception {
        try (TestRegistry registry = tls("")) {
            fails(() -> resolve(registry, null, null), Kind.UNAVAILABLE,
                    "the TLS handshake with " + registry.host() + " failed: ",
                    "put that into /etc/containers/certs.d/" + registry.host() + "/ca.crt");
            Path certificates = certificates(registry);
            Files.copy(directory.resolve("ca.crt"), certificates.resolve(registry.host()).resolve("ca.crt"));
            resolve(registry, null, certificates);
        }
    }

    @Test
    void sslCertFileReplacesTheNodesAuthorities() throws Exception {
        try (TestRegistry registry = tls("")) {
            RegistryClient client = RegistryClient.open(
                    options(null, null, Map.of("SSL_CERT_FILE", directory.resolve("ca.crt").toString())));
            client.resolve(registry.host() + "/team/app:1", RegistryAuth.NONE).close();
        }
    }

    @Test
    void anInsecureRegistryNeedsNoTrustedCertificate() throws Exception {
        try (TestRegistry registry = tls("")) {
            Path conf = Files.writeString(Files.createTempFile(directory, "insecure", ".conf"),
                    "[[registry]]\nlocation = \"" + registry.host() + "\"\ninsecure = true\n");
            resolve(registry, conf, null);
        }
    }

    @Test
    void aClientCertificateIsShownToTheRegistryThatItIsFor() throws Exception {
        try (TestRegistry registry = tls(", clientcas: [" + directory.resolve("ca.crt") + "]")) {
            Path certificates = certificates(registry);
            Path own = certificates.resolve(registry.host());
            Files.copy(directory.resolve("ca.crt"), own.resolve("ca.crt"));
            fails(() -> resolve(registry, null, certificates), Kind.UNAVAILABLE, registry.host());
            Files.copy(directory.resolve("client.crt"), own.resolve("node.cert"));
            fails(() -> resolve(registry, null, certificates), Kind.INVALID,
                    "node.cert has no node.key beside it");
            Files.copy(directory.resolve("client.key"), own.resolve("node.key"));
            resolve(registry, null, certificates);
            Files.delete(own.resolve("node.key"));
            Files.copy(directory.resolve("client-pkcs1.key"), own.resolve("node.key"));
            resolve(registry, null, certificates);
            Files.writeString(own.resolve("node.key"),
                    "-----BEGIN EC PRIVATE KEY-----\n-----END EC PRIVATE KEY-----");
            fails(() -> resolve(registry, null, certificates), Kind.INVALID, "openssl pkcs8 -topk8 -nocrypt");
        }
    }

    @Test
    void hostsTomlNamesAuthoritiesAndClientCertificates() throws Exception {
        Path combined = Files.writeString(directory.resolve("client.pem"),
                Files.readString(directory.resolve("client.crt"))
                        + Files.readString(directory.resolve("client.key")));
        try (TestRegistry registry = tls(", clientcas: [" + directory.resolve("ca.crt") + "]")) {
            String pair = "client = [[\"../../client.crt\", \"../../client.key\"]]\n";
            hosts(registry, "ca = \"../../ca.crt\"\n" + pair);
            hosts(registry, "skip_verify = true\nclient = \"" + combined + "\"\n");
            fails(() -> hosts(registry, pair), Kind.UNAVAILABLE, "the TLS handshake with " + registry.host());
            fails(() -> hosts(registry, "ca = \"../../ca.crt\"\n"), Kind.UNAVAILABLE, registry.host());
            fails(() -> hosts(registry, "ca = \"absent.crt\"\n"), Kind.INVALID, "absent.crt");
        }
    }

    /** Pulls by a name for which hosts.toml has {@code registry} as the server. */
    private static void hosts(TestRegistry registry, String lines) throws IOException {
        Path hosts = Files.createTempDirectory(directory, "hosts");
        Files.writeString(Files.createDirectory(hosts.resolve("moved.example")).resolve("hosts.toml"),
                "server = \"https://" + registry.host() + "\"\n" + lines);
        RegistryClient client = RegistryClient
                .open(options(new RegistryFiles(null, List.of(hosts), List.of(), null, null), Map.of()));
        try (Resolved image = client.resolve("moved.example/team/app:1", RegistryAuth.NONE)) {
            assertThat(image.readConfig()).isEqualTo(IMAGE.config());
        }
    }

    @Test
    void aRealRegistryTakesTheTokenOfItsTokenService() throws Exception {
        HttpServer service = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                16);
        String expected = "Basic "
                + Base64.getEncoder().encodeToString("robot:pw".getBytes(StandardCharsets.UTF_8));
        service.createContext("/token", exchange -> {
            boolean known = expected.equals(exchange.getRequestHeaders().getFirst("Authorization"));
            byte[] body = known
                    ? ("{\"token\":\"" + jwt() + "\",\"expires_in\":300}")
                            .getBytes(StandardCharsets.UTF_8)
                    : new byte[]{'{', '}'};
            exchange.sendResponseHeaders(known ? 200 : 401, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        service.start();
        try (TestRegistry registry = TestRegistry.start(directory, "", """
            auth: {token: {realm: "http://127.0.0.1:%d/token", service: berth-test, issuer: berth-issuer,
              rootcertbundle: %s}}
            """.formatted(service.getAddress().getPort(), directory.resolve("ca.crt")))) {
            String name = registry.host() + "/team/app:1";
            try (Resolved image = client().resolve(name, basic("robot", "pw"));
                    InputStream layer = image.openBlob(image.layers().getFirst())) {
                assertThat(layer.readAllBytes()).isEqualTo(IMAGE.layer());
            }
            fails(() -> client().resolve(name, basic("robot", "wrong")), Kind.UNAUTHORIZED,
                    "gives no token for repository:team/app:pull");
        } finally {
            service.stop(0);
        }
    }

    private static void resolve(TestRegistry registry, @Nullable Path conf, @Nullable Path certificates)
            throws IOException {
        try (Resolved image = client(conf, certificates).resolve(registry.host() + "/team/app:1",
                RegistryAuth.NONE)) {
            assertThat(image.readConfig()).isEqualTo(IMAGE.config());
        }
    }

    private static TestRegistry tls(String more) throws IOException {
        return TestRegistry.start(directory,
                "tls: {certificate: " + directory.resolve("server.crt") + ", key: "
                        + directory.resolve("server.key") + more + "}",
                "");
    }

    private static Path certificates(TestRegistry registry) throws IOException {
        Path certificates = Files.createTempDirectory(directory, "certs.d");
        Files.createDirectory(certificates.resolve(registry.host()));
        return certificates;
    }

    /** A token for pulling team/app, signed by the server's key, whose certificate the test's authority signed. */
    private static String jwt() {
        try {
            String certificate = Base64.getEncoder()
                    .encodeToString(
                            Pem.certificates(directory.resolve("server.crt")).getFirst().getEncoded());
            long now = Instant.now().getEpochSecond();
            String signed = part("{\"typ\":\"JWT\",\"alg\":\"RS256\",\"x5c\":[\"" + certificate + "\"]}")
                    + "."
                    + part("""
                        {"iss":"berth-issuer","sub":"robot","aud":"berth-test","exp":%d,"nbf":%d,"iat":%d,"jti":"1",
                         "access":[{"type":"repository","name":"team/app","actions":["pull"]}]}"""
                            .formatted(now + 300, now - 60, now));
            Signature signature = Signature.getInstance("SHA256withRSA");
            signature.initSign(Pem.privateKey(directory.resolve("server.key")));
            signature.update(signed.getBytes(StandardCharsets.US_ASCII));
            return signed + "." + URL_SAFE.encodeToString(signature.sign());
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static String part(String json) {
        return URL_SAFE.encodeToString(json.getBytes(StandardCharsets.UTF_8));
    }

    private static void openssl(String... arguments) throws Exception {
        Process process = new ProcessBuilder(
                Stream.concat(Stream.of("openssl"),
                        Stream.of(arguments)).toList())
                .directory(directory.toFile()).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
    }
}
