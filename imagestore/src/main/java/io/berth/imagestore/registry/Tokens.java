package io.berth.imagestore.registry;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Bearer tokens (distribution spec, "Token Authentication"), fetched and kept until they expire. A token is found again
 * only with the very credentials that it was given for: what one pod's secret opened stays closed to another.
 */
final class Tokens {
    private static final int MAX_ANSWER = 1 << 20;
    private static final int MAX_KEPT = 1024;
    /** What the specification says a token without expires_in lives. */
    private static final long DEFAULT_SECONDS = 60;

    /** @param host the registry that the token is for */
    record Request(String host, URI realm, String service, String scope, Credentials credentials) {}

    private record Token(String value, long expiresNanos) {
        boolean fresh() {
            return expiresNanos - System.nanoTime() > 0;
        }

        @Override
        public String toString() {
            return "Token[redacted]";
        }
    }

    private final Map<Request, Token> kept = new ConcurrentHashMap<>();

    /**
     * The token for {@code request}, kept or fetched.
     *
     * @throws ImageException UNAUTHORIZED where the token service refuses
     */
    String token(Request request, Transport transport) throws ImageException, TransientFailure {
        Token token = kept.get(request);
        if (token == null || !token.fresh()) {
            token = fetch(request, transport);
            if (kept.size() >= MAX_KEPT) {
                kept.values().removeIf(each -> !each.fresh());
            }
            if (kept.size() < MAX_KEPT) {
                kept.put(request, token);
            }
        }
        return token.value();
    }

    /** Forgets {@code value}, which the registry has refused. */
    void forget(Request request, String value) {
        kept.computeIfPresent(request, (_, token) -> token.value().equals(value) ? null : token);
    }

    private static Token fetch(Request request, Transport transport) throws ImageException, TransientFailure {
        try (Answer answer = ask(request, transport)) {
            int status = answer.status();
            String service = "token service " + Transport.text(request.realm());
            switch (status) {
                case 200 -> {
                    // Read below.
                }
                case 400, 401, 403 -> throw new ImageException(Kind.UNAUTHORIZED, service
                        + " gives no token for " + request.scope() + " (status " + status + "): "
                        + (request.credentials() instanceof Credentials.Anonymous
                                ? "the image is private or absent, and the pull has no credentials for "
                                        + request.host()
                                : "it refuses the credentials of this pull"));
                case 429 -> throw new TransientFailure(service + " answers 429 (too many requests)",
                        RetryAfter.of(answer), null);
                default -> {
                    if (status >= 500) {
                        throw new TransientFailure(service + " answers " + status, RetryAfter.of(answer),
                                null);
                    }
                    throw new ImageException(Kind.UNAVAILABLE,
                            service + " answers " + status + ", expected 200");
                }
            }
            return read(answer, service, transport);
        }
    }

    private static Answer ask(Request request, Transport transport) throws ImageException, TransientFailure {
        String query = "service=" + encode(request.service());
        for (String scope : request.scope().split(" ")) {
            query += "&scope=" + encode(scope);
        }
        String join = request.realm().getRawQuery() == null ? "?" : "&";
        return switch (request.credentials()) {
            case Credentials.Identity(String refresh) -> transport.post(request.realm(),
                    "grant_type=refresh_token&client_id=berth&service=" + encode(request.service())
                            + "&scope="
                            + encode(request.scope()) + "&refresh_token=" + encode(refresh));
            case Credentials.Basic basic -> transport.get(
                    URI.create(request.realm() + join + query + "&account=" + encode(basic.username())),
                    Map.of("Authorization", basic.header()));
            case Credentials.Anonymous _,Credentials.Bearer _ -> transport
                    .get(URI.create(request.realm() + join + query), Map.of());
        };
    }

    private static Token read(Answer answer, String service, Transport transport)
            throws ImageException, TransientFailure {
        byte[] bytes;
        try {
            bytes = answer.body().readNBytes(MAX_ANSWER);
        } catch (IOException e) {
            throw transport.broken(answer.uri(), e);
        }
        JsonNode json;
        try {
            json = ImageJson.read(bytes);
        } catch (ImageJson.Malformed e) {
            throw new ImageException(Kind.UNAVAILABLE, service + " answers something that is not JSON");
        }
        String value = json.path("token").asText(json.path("access_token").asText(""));
        if (value.isEmpty()) {
            throw new ImageException(Kind.UNAVAILABLE, service + " answers without a token");
        }
        long seconds = Math.clamp(json.path("expires_in").asLong(DEFAULT_SECONDS), 1, 86_400);
        // A tenth is kept back for the request that it shall still serve.
        return new Token(value, System.nanoTime() + Duration.ofMillis(seconds * 900).toNanos());
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }
}
