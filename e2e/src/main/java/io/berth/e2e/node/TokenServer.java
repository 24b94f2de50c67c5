package io.berth.e2e.node;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.Signature;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.testcontainers.lifecycle.Startable;

/**
 * The token service of a registry: it gives bearer tokens for what is asked to those who know the password, as the
 * distribution project's token specification has it.
 */
public final class TokenServer implements Startable {
    static final String ISSUER = "e2e-issuer";
    static final String SERVICE = "e2e-registry";
    private static final int UNAUTHORIZED = 401;
    private static final int OK = 200;

    private final TlsIdentity signer;
    private final String basicAuthorization;
    private final HttpServer server;
    private final List<String> requests = new CopyOnWriteArrayList<>();

    /** @param directory for its key */
    public TokenServer(Path directory, String user, String password) {
        signer = new TlsIdentity(directory);
        basicAuthorization = "Basic "
                + Base64.getEncoder()
                        .encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8));
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        server.createContext("/token", this::answer);
    }

    public String realm() {
        return "http://localhost:" + server.getAddress().getPort() + "/token";
    }

    /** The certificate that tokens are signed with. */
    public Path certificate() {
        return signer.certificate();
    }

    /** Queries of the requests that came in so far. */
    public List<String> requests() {
        return requests;
    }

    /** A token for all of {@code repository}. */
    public String token(String repository) {
        return sign("""
            [{"type": "repository", "name": "%s", "actions": ["pull", "push"]}]""".formatted(repository));
    }

    @Override
    public void start() {
        server.start();
    }

    @Override
    public void stop() {
        server.stop(0);
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String query = exchange.getRequestURI().getRawQuery();
            requests.add(query);
            if (!basicAuthorization.equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
                exchange.sendResponseHeaders(UNAUTHORIZED, -1);
                return;
            }
            byte[] body = "{\"token\": \"%s\", \"expires_in\": 300}".formatted(sign(access(query)))
                    .getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(OK, body.length);
            exchange.getResponseBody().write(body);
        }
    }

    /** {@code scope=repository:a/b:pull,push} as the claim of a token. */
    private static String access(String query) {
        var grants = new ArrayList<String>();
        for (String parameter : query.split("&")) {
            String value = URLDecoder.decode(parameter, StandardCharsets.UTF_8);
            if (value.startsWith("scope=repository:")) {
                String[] scope = value.substring("scope=".length()).split(":");
                grants.add("{\"type\": \"repository\", \"name\": \"%s\", \"actions\": [\"pull\"]}"
                        .formatted(scope[1]));
            }
        }
        return grants.toString();
    }

    private String sign(String access) {
        try {
            long now = Instant.now().getEpochSecond();
            String certificate = Base64.getEncoder().encodeToString(signer.certificateOf().getEncoded());
            String header = "{\"typ\": \"JWT\", \"alg\": \"RS256\", \"x5c\": [\"" + certificate + "\"]}";
            String claims = """
                {"iss": "%s", "sub": "e2e", "aud": "%s", "jti": "%d", "nbf": %d, "iat": %d, "exp": %d, "access": %s}"""
                    .formatted(ISSUER, SERVICE, System.nanoTime(), now - 10, now, now + 300, access);
            String signed = base64(header.getBytes(StandardCharsets.UTF_8)) + "."
                    + base64(claims.getBytes(StandardCharsets.UTF_8));
            Signature signature = Signature.getInstance("SHA256withRSA");
            signature.initSign(signer.privateKey());
            signature.update(signed.getBytes(StandardCharsets.US_ASCII));
            return signed + "." + base64(signature.sign());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String base64(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }
}
