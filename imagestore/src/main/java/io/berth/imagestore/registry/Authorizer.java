package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** Answers the challenges of one pull's endpoints, and gives its credentials only to the host they are meant for. */
final class Authorizer {
    private final Credentials credentials;
    private final String meantFor;
    private final AuthFile authFile;
    private final Map<Endpoint, Credentials> filed = new ConcurrentHashMap<>();
    private final Tokens tokens;
    private final Transport transport;
    private final Map<Endpoint, Method> methods = new ConcurrentHashMap<>();

    /** How an endpoint wants to be convinced. */
    private sealed interface Method {
        record Header(String value) implements Method {
            @Override
            public String toString() {
                return "Header[redacted]";
            }
        }

        record Token(Tokens.Request request) implements Method {}
    }

    /**
     * @param auth the request's, which come first
     * @param registry the registry that the image's name says
     * @param authFile the node's, for where the request has none
     */
    Authorizer(RegistryAuth auth, String registry, AuthFile authFile, Tokens tokens, Transport transport)
            throws ImageException {
        this.credentials = Credentials.of(auth);
        this.meantFor = Credentials.host(auth.serverAddress().isEmpty() ? registry : auth.serverAddress());
        this.authFile = authFile;
        this.tokens = tokens;
        this.transport = transport;
    }

    /** The {@code Authorization} header for {@code endpoint} as far as known, or null for none. */
    @Nullable
    String header(Endpoint endpoint) throws ImageException, TransientFailure {
        return switch (methods.get(endpoint)) {
            case null -> credentialsFor(endpoint) instanceof Credentials.Bearer(String token)
                    ? "Bearer " + token
                    : null;
            case Method.Header(String value) -> value;
            case Method.Token(Tokens.Request request) -> "Bearer " + tokens.token(request, transport);
        };
    }

    /**
     * Takes up the challenges of a 401.
     *
     * @param refused the header that was sent, if any
     * @return whether a new {@link #header} is worth a try
     */
    boolean accept(Endpoint endpoint, URI asked, List<Challenge> challenges, @Nullable String refused)
            throws ImageException {
        Credentials given = credentialsFor(endpoint);
        if (given instanceof Credentials.Bearer) {
            return false;
        }
        if (methods.get(endpoint) instanceof Method.Token(Tokens.Request request) && refused != null) {
            tokens.forget(request, refused.substring("Bearer ".length()));
        }
        Optional<Challenge> bearer = challenges.stream().filter(each -> each.scheme().equals("bearer"))
                .findFirst();
        if (bearer.isPresent()) {
            Method method = new Method.Token(request(endpoint, asked, bearer.get(), given));
            // The same question once more was refused with a fresh answer, unless the answer had expired.
            return methods.put(endpoint, method) == null || refused != null;
        }
        boolean basic = challenges.stream().anyMatch(each -> each.scheme().equals("basic"));
        return basic && given instanceof Credentials.Basic pair
                && methods.put(endpoint, new Method.Header(pair.header())) == null;
    }

    /** What to tell an operator whose pull was refused by {@code endpoint}. */
    String advice(Endpoint endpoint) {
        Credentials ofNode = filed.get(endpoint);
        if (ofNode != null && !(ofNode instanceof Credentials.Anonymous)) {
            return "the credentials of this node's auth_file were refused; check its entry for "
                    + endpoint.host();
        }
        if (credentials instanceof Credentials.Anonymous) {
            return "the pull has no credentials; add an imagePullSecret for " + endpoint.host()
                    + authFile.advice();
        }
        if (!isMeantFor(endpoint)) {
            return "the pull's credentials are for " + meantFor + " and were not sent to " + endpoint.host();
        }
        return "the pull's credentials were refused; check the imagePullSecret for " + endpoint.host();
    }

    private Credentials credentialsFor(Endpoint endpoint) throws ImageException {
        if (isMeantFor(endpoint) && !(credentials instanceof Credentials.Anonymous)) {
            return credentials;
        }
        Credentials known = filed.get(endpoint);
        if (known == null) {
            known = authFile.credentials(endpoint.host(), endpoint.repository());
            filed.put(endpoint, known);
        }
        return known;
    }

    private boolean isMeantFor(Endpoint endpoint) {
        return Credentials.host(endpoint.host()).equals(meantFor);
    }

    private static Tokens.Request request(Endpoint endpoint, URI asked, Challenge bearer, Credentials given)
            throws ImageException {
        String scope = bearer.parameter("scope");
        return new Tokens.Request(endpoint.host().toLowerCase(Locale.ROOT),
                realm(endpoint, asked, bearer.parameter("realm")), bearer.parameter("service"),
                scope.isEmpty() ? "repository:" + endpoint.repository() + ":pull" : scope, given);
    }

    private static URI realm(Endpoint endpoint, URI asked, String text) throws ImageException {
        try {
            URI realm = URI.create(text);
            if (realm.getHost() != null && ("https".equals(realm.getScheme())
                    || ("http".equals(realm.getScheme()) && "http".equals(asked.getScheme())))) {
                return realm;
            }
        } catch (IllegalArgumentException e) {
            // Told below.
        }
        throw new ImageException(Kind.UNAVAILABLE, endpoint + " names the token service \"" + text
                + "\", which is no https URL; credentials are not sent there");
    }
}
