package io.berth.imagestore.registry;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** The requests of one pull: the right scheme, the right credentials, and what refusals mean. */
final class Session implements AutoCloseable {
    private static final int MAX_ERROR_BODY = 64 << 10;
    private static final int MAX_ERROR_TEXT = 256;

    private final Transport transport;
    private final Authorizer authorizer;
    private final RetryPolicy retries;
    private final Map<String, String> schemes = new ConcurrentHashMap<>();

    Session(Transport transport, Authorizer authorizer, RetryPolicy retries) {
        this.transport = transport;
        this.authorizer = authorizer;
        this.retries = retries;
    }

    RetryPolicy retries() {
        return retries;
    }

    /**
     * One attempt at {@code GET /v2/<repository>/<path>}. Returns answers of status 200, 206 and 416; everything else is
     * an error.
     *
     * @param what the thing, for errors: {@code manifest 1.0}
     */
    Answer get(Endpoint endpoint, String what, String path, Map<String, String> headers)
            throws ImageException, TransientFailure {
        URI uri = uri(endpoint, path);
        String authorization = authorizer.header(endpoint);
        Answer first = transport.get(uri, with(endpoint, headers, authorization));
        if (first.status() == 401 && !first.redirected()) {
            List<Challenge> challenges = Challenge.parse(first.headers("WWW-Authenticate"));
            if (authorizer.accept(endpoint, uri, challenges, authorization)) {
                first.close();
                return accepted(endpoint, what,
                        transport.get(uri, with(endpoint, headers, authorizer.header(endpoint))));
            }
        }
        return accepted(endpoint, what, first);
    }

    /** What broke while the body of {@code answer} was read. */
    TransientFailure broken(Answer answer, IOException e) throws ImageException {
        return transport.broken(answer.uri(), e);
    }

    @Override
    public void close() {
        transport.close();
    }

    private Answer accepted(Endpoint endpoint, String what, Answer answer)
            throws ImageException, TransientFailure {
        switch (answer.status()) {
            case 200, 206, 416 -> {
                return answer;
            }
            default -> {
                try (answer) {
                    throw refusal(endpoint, what, answer);
                }
            }
        }
    }

    private TransientFailure refusal(Endpoint endpoint, String what, Answer answer) throws ImageException {
        int status = answer.status();
        String told = endpoint + " answers " + status + " for " + what + " of " + endpoint.repository()
                + detail(answer);
        if (answer.redirected() && (status == 401 || status == 403)) {
            // Signed addresses of storage behind a registry expire; the registry gives a new one.
            return new TransientFailure(told + " (from " + Transport.text(answer.uri()) + ")", null, null);
        }
        if (status == 408 || status == 429 || status >= 500) {
            return new TransientFailure(told, RetryAfter.of(answer), null);
        }
        throw switch (status) {
            case 401, 403 -> new ImageException(Kind.UNAUTHORIZED, told + "; " + authorizer.advice(endpoint));
            case 404 ->
                new ImageException(Kind.NOT_FOUND, told + "; check the name, the tag and the registry");
            default -> new ImageException(Kind.UNAVAILABLE, told + ", expected 200");
        };
    }

    /** The registry's own words (distribution spec, "Error Codes"), shortened and on one line. */
    private static String detail(Answer answer) {
        try {
            JsonNode error = ImageJson.read(answer.body().readNBytes(MAX_ERROR_BODY)).path("errors").path(0);
            String text = (error.path("code").asText("") + " " + error.path("message").asText("")).strip()
                    .replaceAll("\\p{Cntrl}", " ");
            return text.isEmpty()
                    ? ""
                    : " (" + text.substring(0, Math.min(text.length(), MAX_ERROR_TEXT)) + ")";
        } catch (ImageJson.Malformed | IOException e) {
            // Not the format of the specification: the status has to do.
            return "";
        }
    }

    private URI uri(Endpoint endpoint, String path) throws ImageException, TransientFailure {
        HostAccess access = endpoint.access();
        String query = access == null || access.namespace() == null
                ? ""
                : "?ns=" + URLEncoder.encode(access.namespace(), StandardCharsets.UTF_8);
        return url(endpoint, scheme(endpoint), (access == null ? "/v2" : access.path()) + "/"
                + endpoint.repository() + "/" + path + query);
    }

    private static URI url(Endpoint endpoint, String scheme, String path) throws ImageException {
        try {
            return URI.create(scheme + "://" + endpoint.apiHost() + path);
        } catch (IllegalArgumentException e) {
            throw new ImageException(Kind.INVALID, "\"" + endpoint.apiHost() + "\" is no host of a registry",
                    e);
        }
    }

    private static Map<String, String> with(Endpoint endpoint, Map<String, String> headers,
            @Nullable String authorization) {
        HostAccess access = endpoint.access();
        if (authorization == null && access == null) {
            return headers;
        }
        Map<String, String> all = new HashMap<>();
        if (access != null) {
            // One line for several values, as RFC 9110, 5.3 allows.
            access.headers().forEach((name, values) -> all.put(name, String.join(", ", values)));
        }
        all.putAll(headers);
        if (authorization != null) {
            all.keySet().removeIf("Authorization"::equalsIgnoreCase);
            all.put("Authorization", authorization);
        }
        return all;
    }

    /**
     * https, but for registries of this machine, and for those that the operator declared insecure: they are asked
     * once which of the two they speak.
     */
    private String scheme(Endpoint endpoint) throws ImageException, TransientFailure {
        HostAccess access = endpoint.access();
        if (access != null) {
            transport.use(endpoint.apiHost(), access.tls());
            if (access.scheme() != null) {
                return access.scheme();
            }
        }
        String known = schemes.get(endpoint.apiHost());
        if (known != null) {
            return known;
        }
        String scheme = "https";
        if (endpoint.insecure()) {
            transport.allowInsecure(endpoint.apiHost());
        }
        if (endpoint.loopback()) {
            scheme = probe(endpoint, "http", "https");
        } else if (endpoint.insecure()) {
            scheme = probe(endpoint, "https", "http");
        }
        schemes.put(endpoint.apiHost(), scheme);
        return scheme;
    }

    private String probe(Endpoint endpoint, String first, String second)
            throws ImageException, TransientFailure {
        try {
            if (speaks(endpoint, first)) {
                return first;
            }
        } catch (ImageException | TransientFailure e) {
            if (e instanceof ImageException known && known.kind() == Kind.CANCELLED) {
                throw e;
            }
            try {
                if (speaks(endpoint, second)) {
                    return second;
                }
            } catch (ImageException | TransientFailure other) {
                e.addSuppressed(other);
            }
            throw e;
        }
        return second;
    }

    private boolean speaks(Endpoint endpoint, String scheme) throws ImageException, TransientFailure {
        URI ping = url(endpoint, scheme, "/v2/");
        try (Answer answer = transport.get(ping, Map.of())) {
            // What TLS servers answer to plain http.
            return scheme.equals("https") || answer.status() != 400;
        }
    }
}
